#include "conversation/dedup.hpp"

#include <algorithm>
#include <cstring>

namespace parley {
namespace {

constexpr size_t k_slots_min = 4;
/// Why two: half as many chains that lead on to an entry of another request.
constexpr size_t k_buckets_per_slot = 2;

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

std::optional<DedupEntry> DedupWindow::find(const Id128& request) const {
  const auto number = number_of(request);
  return number ? std::optional(entry_of(*number)) : std::nullopt;
}

std::optional<uint64_t> DedupWindow::number_of(const Id128& request) const {
  if (newest_.empty()) {
    for (uint64_t number = end_; number > first_; --number) {
      if (slots_[slot_of(number - 1)].request == request) return number - 1;
    }
    return std::nullopt;
  }
  // Why modulo 2^32: a bucket that was not touched for so many entries leads to one of another
  // bucket, whose request differs; its chain ends like any other.
  uint32_t back = static_cast<uint32_t>(end_) - newest_[bucket(request, newest_.size())];
  for (uint64_t at = end_; back != 0 && back <= at - first_; back = slots_[slot_of(at)].back) {
    at -= back;
    if (slots_[slot_of(at)].request == request) return at;
  }
  return std::nullopt;
}

DedupEntry DedupWindow::entry_of(uint64_t number) const {
  const Slot& slot = slots_[slot_of(number)];
  DedupEntry entry{slot.request,
                   slot.digest,
                   {.version = slot.version,
                    .first = slot.first,
                    .last = slot.last,
                    .time = slot.time,
                    .created = slot.created}};
  if (slot.forked) {
    entry.receipt.fork =
        std::lower_bound(forks_.begin(), forks_.end(), number,
                         [](const auto& fork, uint64_t wanted) { return fork.first < wanted; })
            ->second;
  }
  return entry;
}

void DedupWindow::remember(const DedupEntry& entry, size_t count_max) {
  while (!empty() && size() >= count_max) drop_oldest();
  if (size() == slots_.size()) grow();
  const uint64_t number = end_++;
  const Receipt& receipt = entry.receipt;
  slots_[slot_of(number)] = {.request = entry.request,
                             .digest = entry.digest,
                             .version = receipt.version,
                             .first = receipt.first,
                             .last = receipt.last,
                             .time = receipt.time,
                             .created = receipt.created,
                             .forked = !receipt.fork.empty()};
  if (!receipt.fork.empty()) forks_.emplace_back(number, receipt.fork);
  if (!newest_.empty()) link(number);
}

void DedupWindow::trim(size_t count_max) {
  while (size() > std::max<size_t>(count_max, 1)) drop_oldest();
}

void DedupWindow::clear() { *this = DedupWindow{}; }

void DedupWindow::link(uint64_t number) {
  Slot& slot = slots_[slot_of(number)];
  uint32_t& newest = newest_[bucket(slot.request, newest_.size())];
  slot.back = static_cast<uint32_t>(number) - newest;
  newest = static_cast<uint32_t>(number);
}

void DedupWindow::drop_oldest() {
  // Why not the slot's `forked`: a slot that is about to be written over need not be read.
  if (!forks_.empty() && forks_.front().first == first_) forks_.erase(forks_.begin());
  ++first_;
}

void DedupWindow::grow() {
  std::vector<Slot> larger(std::max(k_slots_min, slots_.size() * 2));
  for (uint64_t number = first_; number < end_; ++number) {
    larger[number & (larger.size() - 1)] = slots_[slot_of(number)];
  }
  slots_ = std::move(larger);
  if (slots_.size() <= k_scanned_max) return;
  // As if each had last been touched by an entry long gone.
  newest_.assign(slots_.size() * k_buckets_per_slot, static_cast<uint32_t>(first_) - 1);
  for (uint64_t number = first_; number < end_; ++number) link(number);
}

size_t DedupWindow::memory_bytes() const {
  return slots_.capacity() * sizeof(Slot) + newest_.capacity() * sizeof(uint32_t) +
         forks_.capacity() * sizeof(forks_[0]);
}

bool DedupWindow::operator==(const DedupWindow& other) const {
  if (size() != other.size()) return false;
  for (size_t i = 0; i < size(); ++i) {
    if (at(i) != other.at(i)) return false;
  }
  return true;
}

}  // namespace parley
