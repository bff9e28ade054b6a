#pragma once

#include <array>
#include <cstdint>

#include "services/cli/units.hpp"

namespace parley::cli {

/// Counts of latencies in buckets that are linear within each power of two, so that a quantile is
/// right to about 3 % at any size, from 1 us to an hour, in fixed memory.
class LatencyHistogram {
 public:
  void add(Micros latency);
  void add(const LatencyHistogram& other);

  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] Micros max() const { return max_; }
  [[nodiscard]] Micros mean() const;
  /// The least latency that at least this part of all (0 to 1) does not exceed; 0 when empty.
  [[nodiscard]] Micros quantile(double part) const;

 private:
  static constexpr uint32_t k_sub_bits = 5;
  static constexpr uint32_t k_powers = 28;

  static size_t bucket_of(uint64_t micros);
  static uint64_t upper_end(size_t bucket);

  std::array<uint64_t, (k_powers + 1) << k_sub_bits> buckets_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  Micros max_{0};
};

}  // namespace parley::cli
