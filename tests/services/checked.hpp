#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <variant>

#include <gtest/gtest.h>

#include "services/violations.hpp"

/// Looking into Checked<T> from tests.
namespace parley {

template <class T>
T value_of(Checked<T> checked) {
  if (const auto* error = std::get_if<ApiError>(&checked)) {
    ADD_FAILURE() << error->reason << ": " << error->message;
    return T{};
  }
  return std::get<T>(std::move(checked));
}

template <class T>
ApiError error_in(const Checked<T>& checked) {
  if (const auto* error = std::get_if<ApiError>(&checked)) return *error;
  ADD_FAILURE() << "was accepted";
  return {};
}

/// The field that an error is about, or what else was the matter.
inline bool names_field(const ApiError& error, const std::string& field) {
  return std::any_of(error.violations.begin(), error.violations.end(),
                     [&](const FieldViolation& violation) { return violation.field == field; });
}

inline std::string fields_of(const std::optional<ApiError>& error) {
  if (!error) return "(accepted)";
  std::string all;
  for (const FieldViolation& violation : error->violations) all += violation.field + " ";
  return all;
}

}  // namespace parley
