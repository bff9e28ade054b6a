#include "services/utf8_path.hpp"

#include <map>
#include <utility>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/common.h>
#include <google/protobuf/wire_format_lite.h>

#include "services/field_path.hpp"

namespace parley {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

/// As deep as a request may nest at all (services/rpc.cpp).
constexpr int k_depth_max = 400;

FieldPath path_of(const FieldPath* around, const FieldDescriptor& field, size_t index) {
  const std::string_view name(field.name());
  if (around == nullptr) {
    return field.is_repeated() ? FieldPath::element(name, index) : FieldPath(name);
  }
  return field.is_repeated() ? around->at(name, index) : around->at(name);
}

/// The bytes that a length announces; nothing where there are not as many.
std::optional<std::string_view> delimited(CodedInputStream& in, std::string_view bytes) {
  uint32_t size = 0;
  if (!in.ReadVarint32(&size)) return std::nullopt;
  const auto begin = static_cast<size_t>(in.CurrentPosition());
  if (size > bytes.size() - begin || !in.Skip(static_cast<int>(size))) return std::nullopt;
  return bytes.substr(begin, size);
}

/// Reads the wire format by the message's description, down to the first bad text.
///
/// A value on the stack of whoever looks.
class TextWalk {
 public:
  /// False where it is over: something was found, or the bytes are no message.
  bool walk(std::string_view bytes, const Descriptor& type, const FieldPath* around, int depth) {
    if (depth > k_depth_max) return false;
    CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                        static_cast<int>(bytes.size()));
    std::map<int, size_t> seen;
    while (const uint32_t tag = in.ReadTag()) {
      if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
        if (!WireFormatLite::SkipField(&in, tag)) return false;
        continue;
      }
      const auto value = delimited(in, bytes);
      if (!value) return false;
      const int number = WireFormatLite::GetTagFieldNumber(tag);
      const FieldDescriptor* field = type.FindFieldByNumber(number);
      if (field == nullptr) continue;
      const size_t index = field->is_repeated() ? seen[number]++ : 0;
      if (!enter(*value, *field, path_of(around, *field, index), depth)) return false;
    }
    return in.ConsumedEntireMessage();
  }

  std::optional<BadText> take() { return std::move(found_); }

 private:
  bool enter(std::string_view value, const FieldDescriptor& field, const FieldPath& path,
             int depth) {
    if (field.type() == FieldDescriptor::TYPE_MESSAGE) {
      return walk(value, *field.message_type(), &path, depth + 1);
    }
    if (field.type() != FieldDescriptor::TYPE_STRING) return true;
    const int valid =
        google::protobuf::internal::UTF8SpnStructurallyValid({value.data(), value.size()});
    if (static_cast<size_t>(valid) == value.size()) return true;
    found_ = BadText{path.text(), static_cast<size_t>(valid)};
    return false;
  }

  std::optional<BadText> found_;
};

}  // namespace

std::optional<BadText> find_bad_text(std::string_view bytes, const Descriptor& type) {
  TextWalk walk;
  walk.walk(bytes, type, nullptr, 0);
  return walk.take();
}

}  // namespace parley
