#pragma once

#include "conversation/engine.hpp"
#include "storage/record_writer.hpp"

/// The records that every append writes, written without protobuf's objects between. The bytes are
/// those that protobuf would write: tests/storage/codec_test.cpp holds both against each other.
/// Only storage/codec.cpp includes this.
namespace parley::codec {

/// True where `write_fast` can write it.
bool is_fast(const Event& event);
/// The fields of an EventRecord.
void write_fast(const Event& event, RecordWriter& out);
/// The fields of an IndexRowRecord.
void write_fast(const IndexRow& row, RecordWriter& out);

}  // namespace parley::codec
