#include "services/providers/json_path.hpp"

#include <cmath>
#include <utility>

#include "absl/strings/str_split.h"

#include "services/json_scan.hpp"

namespace parley {
namespace {

constexpr size_t k_depth_max = 200;
constexpr size_t k_steps_max = 32;
constexpr double k_largest_count = 9.0e18;

}  // namespace

std::optional<Json> parse_document(std::string_view text) {
  if (nests_deeper(text, k_depth_max)) return std::nullopt;
  Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) return std::nullopt;
  return document;
}

const Json* find(const Json& from, const Names& names) {
  const Json* at = &from;
  for (const std::string_view name : names) {
    if (!at->is_object()) return nullptr;
    const auto found = at->find(name);
    if (found == at->end() || found->is_null()) return nullptr;
    at = &*found;
  }
  return at;
}

std::string scalar_text(const Json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  return {};
}

std::string text_at(const Json& from, const Names& names) {
  const Json* value = find(from, names);
  return value != nullptr ? scalar_text(*value) : std::string();
}

std::optional<int64_t> count_at(const Json& from, const Names& names) {
  const Json* value = find(from, names);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  if (value->is_number_unsigned()) {
    const auto count = value->get<uint64_t>();
    return count <= INT64_MAX ? std::optional(static_cast<int64_t>(count)) : std::nullopt;
  }
  const auto count = value->get<double>();
  if (!(count >= 0) || count > k_largest_count) return std::nullopt;
  return static_cast<int64_t>(std::trunc(count));
}

std::optional<JsonPath> JsonPath::parse(std::string_view text) {
  JsonPath path;
  const std::vector<std::string> parts = absl::StrSplit(std::string(text), '.');
  for (std::string part : parts) {
    Step step;
    for (; part.ends_with("[]"); part.resize(part.size() - 2)) ++step.lists;
    const bool itself = part.empty() && step.lists > 0 && path.steps_.empty();
    if ((part.empty() && !itself) || part.find_first_of("[]") != std::string::npos) {
      return std::nullopt;
    }
    step.name = std::move(part);
    path.steps_.push_back(std::move(step));
  }
  if (path.steps_.size() > k_steps_max) return std::nullopt;
  return path;
}

void JsonPath::each(const Json& document, const std::function<void(const Json&)>& take) const {
  follow(document, 0, take);
}

bool JsonPath::leads_to_something(const Json& document) const {
  bool any = false;
  each(document, [&any](const Json&) { any = true; });
  return any;
}

void JsonPath::follow(const Json& from, size_t step,
                      const std::function<void(const Json&)>& take) const {
  if (step == steps_.size()) {
    if (!from.is_null()) take(from);
    return;
  }
  const std::string& name = steps_[step].name;
  const Json* value = name.empty() ? &from : find(from, {name});
  if (value != nullptr) enter(*value, steps_[step].lists, step + 1, take);
}

void JsonPath::enter(const Json& from, int lists, size_t step,
                     const std::function<void(const Json&)>& take) const {
  if (lists == 0) return follow(from, step, take);
  if (!from.is_array()) return;
  for (const Json& each : from) enter(each, lists - 1, step, take);
}

}  // namespace parley
