#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace parley {

using Json = nlohmann::json;

/// The document, or nothing where the text is no JSON or nests deeper than 200 levels. Never
/// throws.
std::optional<Json> parse_document(std::string_view text);

/// Names that lead from an object to something in it, as {"usage", "total_tokens"}: four at most.
class Names {
 public:
  constexpr Names(std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) names_[size_++] = name;
  }
  [[nodiscard]] constexpr const std::string_view* begin() const { return names_.data(); }
  [[nodiscard]] constexpr const std::string_view* end() const { return names_.data() + size_; }

 private:
  std::array<std::string_view, 4> names_;
  size_t size_ = 0;
};

/// What lies below `from` by these names; null where there is no such thing, or a JSON null.
const Json* find(const Json& from, const Names& names);
/// The same as text; empty where it is none. Numbers are written as JSON writes them.
std::string text_at(const Json& from, const Names& names);
/// The same as a count: nothing where it is no number, or a negative one. Fractions are cut off.
std::optional<int64_t> count_at(const Json& from, const Names& names);
/// A string as it is, a number or truth value as JSON writes it, else empty.
std::string scalar_text(const Json& value);

/// A place in documents: names with dots between them, and [] behind the name of a list for each of
/// its elements, as in `choices[].message.tool_calls[].id`.
class JsonPath {
 public:
  /// Nothing where the text is no such path: an empty name, or more than 32 names.
  static std::optional<JsonPath> parse(std::string_view text);

  /// Every value there, in order; nulls are left out.
  void each(const Json& document, const std::function<void(const Json&)>& take) const;
  [[nodiscard]] bool leads_to_something(const Json& document) const;

 private:
  struct Step {
    std::string name;  ///< empty: the document itself is the list
    int lists = 0;     ///< lists in lists
  };
  void follow(const Json& from, size_t step, const std::function<void(const Json&)>& take) const;
  void enter(const Json& from, int lists, size_t step,
             const std::function<void(const Json&)>& take) const;

  std::vector<Step> steps_;
};

}  // namespace parley
