#include "services/cli/latency_histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace parley::cli {

size_t LatencyHistogram::bucket_of(uint64_t micros) {
  constexpr uint64_t k_sub = 1u << k_sub_bits;
  if (micros < k_sub) return micros;
  const auto power = static_cast<uint32_t>(std::bit_width(micros)) - k_sub_bits - 1;
  if (power >= k_powers) return (static_cast<size_t>(k_powers + 1) << k_sub_bits) - 1;
  return (static_cast<size_t>(power + 1) << k_sub_bits) + ((micros >> power) - k_sub);
}

uint64_t LatencyHistogram::upper_end(size_t bucket) {
  constexpr uint64_t k_sub = 1u << k_sub_bits;
  if (bucket < k_sub) return bucket;
  const auto power = static_cast<uint32_t>(bucket >> k_sub_bits) - 1;
  return ((k_sub + (bucket & (k_sub - 1)) + 1) << power) - 1;
}

void LatencyHistogram::add(Micros latency) {
  const auto micros = static_cast<uint64_t>(std::max<int64_t>(0, latency.count()));
  ++buckets_[bucket_of(micros)];
  ++count_;
  sum_ += micros;
  max_ = std::max(max_, latency);
}

void LatencyHistogram::add(const LatencyHistogram& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

Micros LatencyHistogram::mean() const {
  return Micros(count_ == 0 ? 0 : static_cast<int64_t>(sum_ / count_));
}

Micros LatencyHistogram::quantile(double part) const {
  if (count_ == 0) return Micros(0);
  const auto wanted = std::max<uint64_t>(
      1,
      static_cast<uint64_t>(std::ceil(std::clamp(part, 0.0, 1.0) * static_cast<double>(count_))));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted) return std::min(max_, Micros(static_cast<int64_t>(upper_end(bucket))));
  }
  return max_;
}

}  // namespace parley::cli
