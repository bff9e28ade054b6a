#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/varint.hpp"

namespace parley {

/// Appends the fields of a record to a string as protobuf would encode them, for the records that
/// are written with every change: the generated code takes three times as long.
///
/// On the stack of the codec. Fields are to be written in the order of their numbers; zeros and
/// empty texts are left out, as proto3 does.
class RecordWriter {
 public:
  explicit RecordWriter(std::string& out) : out_(out) {}

  void number(uint32_t field, uint64_t value) {
    if (value != 0) two_varints(field << 3 | k_varint, value);
  }
  void signed_number(uint32_t field, int64_t value) { number(field, static_cast<uint64_t>(value)); }
  void fixed64(uint32_t field, uint64_t value);
  void text(uint32_t field, std::string_view value) {
    if (!value.empty()) bytes(field, value);
  }
  /// Also where it is empty.
  void bytes(uint32_t field, std::string_view value) {
    head(field, value.size());
    out_.append(value);
  }
  /// What stands before the bytes of a field that the caller appends.
  void head(uint32_t field, size_t size) { two_varints(field << 3 | k_length_delimited, size); }

  /// A record in a field: `fill` writes its fields to this writer.
  template <class Fill>
  void record(uint32_t field, Fill fill) {
    head(field, 0);
    const size_t begin = out_.size();
    fill();
    put_size(begin);
  }

 private:
  static constexpr uint32_t k_varint = 0;
  static constexpr uint32_t k_fixed64 = 1;
  static constexpr uint32_t k_length_delimited = 2;

  void two_varints(uint64_t one, uint64_t two) {
    char bytes[20];
    out_.append(bytes, static_cast<size_t>(put_varint(two, put_varint(one, bytes)) - bytes));
  }
  /// The size of what begins there, in the byte before it, or in more where it takes more.
  void put_size(size_t begin);

  std::string& out_;
};

}  // namespace parley
