#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace parley {

/// Where in a request something is, such as messages[3].parts[0].text.
///
/// A chain of values on the stack, each pointing to the one around it: nothing is allocated until
/// an error asks for the text. Lives no longer than the one around it.
class FieldPath {
 public:
  explicit FieldPath(std::string_view name) : name_(name) {}

  [[nodiscard]] FieldPath at(std::string_view name) const { return {this, name, std::nullopt}; }
  [[nodiscard]] FieldPath at(std::string_view name, size_t index) const {
    return {this, name, index};
  }
  static FieldPath element(std::string_view name, size_t index) { return {nullptr, name, index}; }

  [[nodiscard]] std::string text() const;

 private:
  FieldPath(const FieldPath* around, std::string_view name, std::optional<size_t> index)
      : around_(around), name_(name), index_(index) {}

  const FieldPath* around_ = nullptr;
  std::string_view name_;
  std::optional<size_t> index_;
};

}  // namespace parley
