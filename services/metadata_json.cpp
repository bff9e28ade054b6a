#include "services/metadata_json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include <nlohmann/json.hpp>

namespace parley {
namespace {

using google::protobuf::ListValue;
using google::protobuf::Struct;
using google::protobuf::Value;
using Json = nlohmann::json;

/// Whole numbers up to here are exact in a double.
constexpr double k_exact = 9007199254740992.0;
/// Deeper than anything that passed the limits; bounds the recursion on stored bytes.
constexpr size_t k_depth_max = 256;

void append_number(double number, std::string& out) {
  std::array<char, 32> digits{};
  const bool whole = std::trunc(number) == number && std::fabs(number) <= k_exact;
  if (whole && !(number == 0 && std::signbit(number))) {
    const auto end = std::to_chars(digits.begin(), digits.end(), static_cast<int64_t>(number)).ptr;
    out.append(digits.begin(), end);
    return;
  }
  const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  out.append(digits.begin(), end);
  if (number == 0) out += ".0";
}

/// Writes one document; the first problem ends it.
struct Writer {
  size_t depth_max;
  std::string& out;

  std::optional<MetadataProblem> object(const Struct& object, size_t depth) {
    if (depth > depth_max) return MetadataProblem::too_deep;
    std::vector<const google::protobuf::Map<std::string, Value>::value_type*> members;
    members.reserve(object.fields().size());
    for (const auto& member : object.fields()) members.push_back(&member);
    std::sort(members.begin(), members.end(),
              [](const auto* a, const auto* b) { return a->first < b->first; });
    out += '{';
    for (const auto* member : members) {
      if (member != members.front()) out += ',';
      append_json_string(member->first, out);
      out += ':';
      if (auto problem = value(member->second, depth)) return problem;
    }
    out += '}';
    return std::nullopt;
  }

  std::optional<MetadataProblem> list(const ListValue& list, size_t depth) {
    if (depth > depth_max) return MetadataProblem::too_deep;
    out += '[';
    for (int i = 0; i < list.values_size(); ++i) {
      if (i > 0) out += ',';
      if (auto problem = value(list.values(i), depth)) return problem;
    }
    out += ']';
    return std::nullopt;
  }

  std::optional<MetadataProblem> value(const Value& value, size_t depth) {
    switch (value.kind_case()) {
      case Value::kNullValue:
        out += "null";
        return std::nullopt;
      case Value::kBoolValue:
        out += value.bool_value() ? "true" : "false";
        return std::nullopt;
      case Value::kNumberValue:
        if (!std::isfinite(value.number_value())) return MetadataProblem::not_finite;
        append_number(value.number_value(), out);
        return std::nullopt;
      case Value::kStringValue:
        append_json_string(value.string_value(), out);
        return std::nullopt;
      case Value::kStructValue:
        return object(value.struct_value(), depth + 1);
      case Value::kListValue:
        return list(value.list_value(), depth + 1);
      case Value::KIND_NOT_SET:
        return MetadataProblem::no_kind;
    }
    return MetadataProblem::no_kind;
  }
};

bool fill_value(const Json& json, size_t depth, Value& out);

bool fill_object(const Json& json, size_t depth, Struct& out) {
  if (depth > k_depth_max) return false;
  for (const auto& [key, value] : json.items()) {
    if (!fill_value(value, depth, (*out.mutable_fields())[key])) return false;
  }
  return true;
}

bool fill_value(const Json& json, size_t depth, Value& out) {
  if (depth > k_depth_max) return false;
  switch (json.type()) {
    case Json::value_t::object:
      return fill_object(json, depth + 1, *out.mutable_struct_value());
    case Json::value_t::array: {
      auto* list = out.mutable_list_value();
      return std::all_of(json.begin(), json.end(), [&](const Json& element) {
        return fill_value(element, depth + 1, *list->add_values());
      });
    }
    case Json::value_t::string:
      out.set_string_value(json.get_ref<const std::string&>());
      return true;
    case Json::value_t::boolean:
      out.set_bool_value(json.get<bool>());
      return true;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float:
      out.set_number_value(json.get<double>());
      return true;
    case Json::value_t::null:
      out.set_null_value(google::protobuf::NULL_VALUE);
      return true;
    case Json::value_t::binary:
    case Json::value_t::discarded:
      return false;
  }
  return false;
}

bool equal_objects(const Struct& a, const Struct& b) {
  if (a.fields_size() != b.fields_size()) return false;
  return std::all_of(a.fields().begin(), a.fields().end(), [&](const auto& member) {
    const auto other = b.fields().find(member.first);
    return other != b.fields().end() && equal_values(member.second, other->second);
  });
}

}  // namespace

void append_json_string(std::string_view text, std::string& out) {
  static constexpr std::string_view k_hex = "0123456789abcdef";
  out += '"';
  size_t plain = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text.substr(plain, i - plain));
    plain = i + 1;
    static constexpr std::string_view k_named = "\"\\\b\f\n\r\t";
    static constexpr std::string_view k_letters = "\"\\bfnrt";
    const size_t named = k_named.find(text[i]);
    out += '\\';
    if (named != std::string_view::npos) {
      out += k_letters[named];
    } else {
      out.append("u00");
      out += k_hex[byte >> 4];
      out += k_hex[byte & 0xF];
    }
  }
  out.append(text.substr(plain));
  out += '"';
}

std::optional<MetadataProblem> append_json(const Struct& metadata, size_t depth_max,
                                           std::string& out) {
  return Writer{depth_max, out}.object(metadata, 1);
}

bool parse_json(std::string_view json, Struct& out) {
  out.Clear();
  if (json.empty()) return true;
  const Json document = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  return document.is_object() && fill_object(document, 1, out);
}

bool equal_values(const Value& a, const Value& b) {
  if (a.kind_case() != b.kind_case()) return false;
  switch (a.kind_case()) {
    case Value::kNullValue:
    case Value::KIND_NOT_SET:
      return true;
    case Value::kBoolValue:
      return a.bool_value() == b.bool_value();
    case Value::kNumberValue:
      return a.number_value() == b.number_value();
    case Value::kStringValue:
      return a.string_value() == b.string_value();
    case Value::kStructValue:
      return equal_objects(a.struct_value(), b.struct_value());
    case Value::kListValue:
      return std::equal(a.list_value().values().begin(), a.list_value().values().end(),
                        b.list_value().values().begin(), b.list_value().values().end(),
                        equal_values);
  }
  return false;
}

}  // namespace parley
