#include "services/violations.hpp"

#include "absl/strings/escaping.h"

#include "services/error_table.hpp"

namespace parley {
namespace {

constexpr size_t k_quoted_bytes = 64;
constexpr size_t k_field_bytes = 160;
constexpr size_t k_description_bytes = 256;

}  // namespace

std::string in_quotes(std::string_view text) {
  const bool cut = text.size() > k_quoted_bytes;
  const auto shown = text.substr(0, k_quoted_bytes);
  std::string out = "'" + absl::CHexEscape(absl::string_view(shown.data(), shown.size()));
  return out + (cut ? "...'" : "'");
}

void Violations::add(std::string field, std::string description) {
  ++count_;
  if (kept_.size() == k_kept) return;
  if (field.size() > k_field_bytes) field.resize(k_field_bytes);
  if (description.size() > k_description_bytes) description.resize(k_description_bytes);
  kept_.push_back({std::move(field), std::move(description)});
}

ApiError Violations::error() const {
  ApiError error = make_error(ErrorId::invalid_field);
  error.violations = kept_;
  if (kept_.empty()) return error;
  std::string first = kept_.front().field + ": " + kept_.front().description;
  if (count_ > 1) first += " (and " + std::to_string(count_ - 1) + " more)";
  error.message = first + ". " + error.message;
  return error;
}

}  // namespace parley
