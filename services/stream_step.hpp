#pragma once

#include <memory>
#include <utility>

#include "base/check.hpp"
#include "services/call_queue.hpp"

namespace parley {

/// One kind of operation of a stream, as a tag: at most one of it is under way, and while it is, it
/// keeps the stream alive.
template <class Stream>
class StreamStep final : public Tag {
 public:
  using Next = void (Stream::*)(bool ok);

  explicit StreamStep(Next next) : next_(next) {}

  /// To be called right before the operation is begun; the result is its tag.
  void* begin(std::shared_ptr<Stream> stream) {
    PARLEY_CHECK(stream_ == nullptr);
    stream_ = std::move(stream);
    return this;
  }
  /// The operation will never come back: let go of the stream.
  void forget() { stream_ = nullptr; }
  [[nodiscard]] bool under_way() const { return stream_ != nullptr; }

  void proceed(bool ok) override {
    const std::shared_ptr<Stream> stream = std::move(stream_);
    stream_ = nullptr;
    ((*stream).*next_)(ok);
  }

 private:
  const Next next_;
  std::shared_ptr<Stream> stream_;
};

}  // namespace parley
