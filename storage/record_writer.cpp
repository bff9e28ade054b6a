#include "storage/record_writer.hpp"

#include <bit>
#include <cstring>

namespace parley {

static_assert(std::endian::native == std::endian::little,
              "fixed64 is written as it lies in memory");

void RecordWriter::fixed64(uint32_t field, uint64_t value) {
  if (value == 0) return;
  char bytes[18];
  char* const at = put_varint(field << 3 | k_fixed64, bytes);
  std::memcpy(at, &value, sizeof value);
  out_.append(bytes, static_cast<size_t>(at - bytes) + sizeof value);
}

void RecordWriter::put_size(size_t begin) {
  const size_t size = out_.size() - begin;
  char bytes[10];
  const auto length = static_cast<size_t>(put_varint(size, bytes) - bytes);
  out_[begin - 1] = bytes[0];
  if (length > 1) out_.insert(begin, bytes + 1, length - 1);
}

}  // namespace parley
