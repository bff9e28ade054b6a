#pragma once

#include <cstdint>

#include "parley/storage/v1/storage.pb.h"

/// Reads what older Parleys wrote: a value of schema n is brought to n + 1, and so on up to
/// `k_schema`. Only storage/codec.cpp includes this. MessageRecord has not changed since schema 1.
namespace parley::codec {

void upcast(storage::v1::EventRecord& record, uint32_t schema);
void upcast(storage::v1::StateRecord& record, uint32_t schema);
void upcast(storage::v1::CommitRecord& record, uint32_t schema);
void upcast(storage::v1::FeedRecord& record, uint32_t schema);

}  // namespace parley::codec
