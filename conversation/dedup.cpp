#include "conversation/dedup.hpp"

#include <algorithm>
#include <cstring>

namespace parley {
namespace {

constexpr size_t k_slots_min = 4;

/// Among so many buckets, a power of two. Request ids are random as a rule; where a caller's are
/// not, both halves count.
size_t bucket(const Id128& id, size_t buckets) {
  uint64_t low = 0;
  uint64_t high = 0;
  std::memcpy(&low, id.bytes.data(), sizeof low);
  std::memcpy(&high, id.bytes.data() + sizeof low, sizeof high);
  const uint64_t mixed = (low ^ (high * 0x9e3779b97f4a7c15)) * 0xbf58476d1ce4e5b9;
  return (mixed ^ (mixed >> 32)) & (buckets - 1);
}

}  // namespace

uint32_t& DedupWindow::bucket_of(const Id128& request) {
  return newest_[bucket(request, newest_.size())];
}

const DedupEntry* DedupWindow::find(const Id128& request) const {
  if (newest_.empty()) {
    for (uint64_t number = end_; number > first_; --number) {
      const DedupEntry& entry = slots_[slot_of(number - 1)].entry;
      if (entry.request == request) return &entry;
    }
    return nullptr;
  }
  uint32_t slot = newest_[bucket(request, newest_.size())];
  while (slot != k_none && slots_[slot].entry.request != request) slot = slots_[slot].older;
  return slot == k_none ? nullptr : &slots_[slot].entry;
}

void DedupWindow::remember(const DedupEntry& entry, size_t count_max, WallTime oldest) {
  while (!empty() && (size() >= count_max || at(0).receipt.time < oldest)) drop_oldest();
  if (size() == slots_.size()) grow();
  const size_t slot = slot_of(end_++);
  slots_[slot].entry = entry;
  if (!newest_.empty()) link(slot);
}

void DedupWindow::trim(size_t count_max) {
  while (size() > std::max<size_t>(count_max, 1)) drop_oldest();
}

void DedupWindow::clear() { *this = DedupWindow{}; }

void DedupWindow::link(size_t slot) {
  uint32_t& newest = bucket_of(slots_[slot].entry.request);
  slots_[slot].older = newest;
  newest = static_cast<uint32_t>(slot);
}

void DedupWindow::drop_oldest() {
  const size_t oldest = slot_of(first_++);
  if (newest_.empty()) return;
  uint32_t* at = &bucket_of(slots_[oldest].entry.request);
  while (*at != oldest) at = &slots_[*at].older;
  *at = k_none;
}

void DedupWindow::grow() {
  std::vector<Slot> larger(std::max(k_slots_min, slots_.size() * 2));
  for (uint64_t number = first_; number < end_; ++number) {
    larger[number & (larger.size() - 1)].entry = slots_[slot_of(number)].entry;
  }
  slots_ = std::move(larger);
  if (slots_.size() <= k_scanned_max) return;
  newest_.assign(slots_.size(), k_none);
  for (uint64_t number = first_; number < end_; ++number) link(slot_of(number));
}

size_t DedupWindow::memory_bytes() const {
  return slots_.capacity() * sizeof(Slot) + newest_.capacity() * sizeof(uint32_t);
}

bool DedupWindow::operator==(const DedupWindow& other) const {
  if (size() != other.size()) return false;
  for (size_t i = 0; i < size(); ++i) {
    if (at(i) != other.at(i)) return false;
  }
  return true;
}

}  // namespace parley
