#include "conversation/dedup.hpp"

#include <algorithm>

namespace parley {

const DedupEntry* DedupWindow::find(const Id128& request) const {
  if (!index_.empty()) {
    const auto found = index_.find(request);
    return found == index_.end() ? nullptr : &entries_[found->second];
  }
  for (size_t i = entries_.size(); i > first_; --i) {
    if (entries_[i - 1].request == request) return &entries_[i - 1];
  }
  return nullptr;
}

void DedupWindow::remember(const DedupEntry& entry, size_t count_max, WallTime oldest) {
  while (!empty() && (size() >= count_max || entries_[first_].receipt.time < oldest)) drop_oldest();
  compact();
  entries_.push_back(entry);
  if (!index_.empty()) {
    index_[entry.request] = entries_.size() - 1;
  } else if (size() >= k_index_from) {
    build_index();
  }
}

void DedupWindow::trim(size_t count_max) {
  while (size() > std::max<size_t>(count_max, 1)) drop_oldest();
  compact();
}

void DedupWindow::clear() { *this = DedupWindow{}; }

void DedupWindow::drop_oldest() {
  // A request id may stand twice: remembered again after it had grown too old to be found.
  const auto found = index_.find(entries_[first_].request);
  if (found != index_.end() && found->second == first_) index_.erase(found);
  ++first_;
}

void DedupWindow::compact() {
  if (first_ < k_index_from || first_ * 2 < entries_.size()) return;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(first_));
  first_ = 0;
  index_.clear();
  if (size() >= k_index_from) build_index();
}

void DedupWindow::build_index() {
  index_.reserve(size() * 2);
  for (size_t i = first_; i < entries_.size(); ++i) index_[entries_[i].request] = i;
}

size_t DedupWindow::memory_bytes() const {
  return entries_.capacity() * sizeof(DedupEntry) +
         index_.capacity() * (sizeof(std::pair<Id128, size_t>) + 1);
}

bool DedupWindow::operator==(const DedupWindow& other) const {
  return size() == other.size() &&
         std::equal(entries_.begin() + static_cast<ptrdiff_t>(first_), entries_.end(),
                    other.entries_.begin() + static_cast<ptrdiff_t>(other.first_));
}

}  // namespace parley
