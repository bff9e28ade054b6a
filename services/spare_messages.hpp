#pragma once

#include <array>
#include <cstddef>

namespace parley {

/// Protobuf messages that were used, for the next calls on the same thread: parsing into one that
/// has its strings and fields already allocates little.
///
/// One for each thread and type. Small messages only, and few, so that no memory piles up.
template <class Message>
class SpareMessages {
 public:
  static SpareMessages& here() {
    thread_local SpareMessages spares;
    return spares;
  }

  /// Gives an empty message what a used one had.
  void equip(Message& message) {
    if (count_ > 0) message.Swap(&spares_[--count_]);
  }
  /// Takes what a message has, which is then empty; it took `bytes` on the wire.
  void keep(Message& message, size_t bytes) {
    if (bytes <= k_bytes_max && count_ < spares_.size()) spares_[count_++].Swap(&message);
  }

 private:
  static constexpr size_t k_bytes_max = 4096;

  std::array<Message, 32> spares_;
  size_t count_ = 0;
};

}  // namespace parley
