#pragma once

#include <functional>
#include <utility>

#include "actors/call.hpp"
#include "services/error_table.hpp"
#include "services/node.hpp"

namespace parley {

/// How a mutating or reading call ended: carried out (or repeated), or why not.
struct Done {
  Checked<Receipt> result;
  bool replayed = false;
  Reason refused_for{};  ///< meaningful where `was_refused`
  bool was_refused = false;

  [[nodiscard]] const Receipt* receipt() const { return std::get_if<Receipt>(&result); }
  [[nodiscard]] const ApiError& error() const { return std::get<ApiError>(result); }
};

/// A call made of functions, for all that is not the hottest path.
///
/// Owns itself: made, dispatched, gone after `on_done`. The functions run as `Call` says.
class LambdaCall final : public Call {
 public:
  using OnRender = std::function<void(const State&, const RecentMessages&)>;
  using OnDone = std::function<void(Done)>;
  using IsExpired = std::function<bool()>;

  LambdaCall(const Node& node, Address address, Kind kind, OnDone on_done, OnRender on_render = {},
             IsExpired is_expired = {})
      : node_(node),
        on_done_(std::move(on_done)),
        on_render_(std::move(on_render)),
        is_expired_(std::move(is_expired)) {
    to = std::move(address);
    what = std::move(kind);
  }

  [[nodiscard]] bool expired() const override { return is_expired_ && is_expired_(); }

  void render(const State& state, const RecentMessages& recent) override {
    if (on_render_) on_render_(state, recent);
  }

  void answer(Outcome outcome, bool replayed) override {
    Done done;
    done.replayed = replayed;
    if (auto* receipt = std::get_if<Receipt>(&outcome)) {
      done.result = *receipt;
    } else if (auto* refusal = std::get_if<Refusal>(&outcome)) {
      done.was_refused = true;
      done.refused_for = refusal->reason;
      done.result = error_of(*refusal, to.key);
    } else {
      done.result = node_.explain(std::get<Failure>(outcome), to.key);
    }
    end(std::move(done));
  }

  void fail(Status status) override { end({error_of(status, to.key), false, {}, false}); }

 private:
  void end(Done done) {
    // Why: what on_done starts may be the next call of the same chain; this one is over before it.
    const OnDone on_done = std::move(on_done_);
    delete this;
    on_done(std::move(done));
  }

  const Node& node_;
  OnDone on_done_;
  OnRender on_render_;
  IsExpired is_expired_;
};

}  // namespace parley
