#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace parley {

/// Whether somebody takes connections there. Blocks for as long as the name takes to resolve and
/// then for `timeout` at most.
bool answers_connections(const std::string& host, uint16_t port, std::chrono::milliseconds timeout);

}  // namespace parley
