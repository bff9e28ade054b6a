#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace parley {

/// Errors between folders are values. What a caller should do about one is said in its message.
using Status = absl::Status;

template <class T>
using Result = absl::StatusOr<T>;

}  // namespace parley
