#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "google/protobuf/timestamp.pb.h"

#include "base/ids.hpp"
#include "services/field_path.hpp"
#include "services/violations.hpp"

/// Checks of single fields; parts of services/validate.
namespace parley {

/// An id as base/ids.hpp has it; empty is refused as missing.
inline void check_id_field(const FieldPath& at, std::string_view id, Violations& violations) {
  const Status status = check_id("", id);
  if (status.ok()) return;
  // The message begins with the (here empty) name of the field.
  violations.add(at.text(), std::string(status.message().substr(2)));
}

inline void check_not_negative(const FieldPath& at, int64_t value, Violations& violations) {
  if (value < 0) violations.add(at.text(), "must not be negative");
}

/// 0, the value of an enum that is not given, is refused too.
template <bool (*is_valid)(int)>
void check_enum(const FieldPath& at, int value, std::string_view remedy, Violations& violations) {
  if (value != 0 && is_valid(value)) return;
  std::string problem = value == 0 ? "is required" : "has no value " + std::to_string(value);
  violations.add(at.text(), problem.append("; ").append(remedy));
}

inline void check_time(const FieldPath& at, const google::protobuf::Timestamp& time,
                       Violations& violations) {
  constexpr int64_t k_year_1 = -62'135'596'800;
  constexpr int64_t k_year_9999_end = 253'402'300'799;
  if (time.seconds() < k_year_1 || time.seconds() > k_year_9999_end || time.nanos() < 0 ||
      time.nanos() > 999'999'999) {
    violations.add(at.text(), "is no valid time of the years 1 to 9999");
  }
}

}  // namespace parley
