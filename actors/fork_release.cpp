#include "actors/fork_release.hpp"

#include <utility>

#include "actors/environment.hpp"
#include "actors/registry.hpp"
#include "base/log.hpp"

namespace parley {

ForkRelease::ForkRelease(Registry& registry, const Environment& environment, Address child,
                         ParentLink link)
    : registry_(registry),
      environment_(environment),
      child_(std::move(child)),
      link_(std::move(link)) {
  to = Address::of({child_.key.tenant, link_.thread}, environment.shard_count);
  what = Mutate{ReleaseFork{link_.child_history}, {}};
}

void ForkRelease::start() {
  if (environment_.use(to.shard) != ShardUse::elsewhere ||
      environment_.parents_elsewhere == nullptr) {
    return registry_.dispatch(this);
  }
  environment_.parents_elsewhere->let_go(to, link_.child_history,
                                         [this](bool told) { on_told(told); });
}

void ForkRelease::answer(Outcome outcome, bool) {
  if (parent_knows_) {
    delete this;
    return;
  }
  const auto* refusal = std::get_if<Refusal>(&outcome);
  // A parent that does not know the fork has been told before.
  on_told(std::holds_alternative<Receipt>(outcome) ||
          (refusal != nullptr && refusal->reason == Reason::fork_not_found));
}

void ForkRelease::on_told(bool told) {
  if (!told) {
    spdlog::debug("fork release postponed: parent busy or away, shard {}", to.shard.value);
    delete this;
    return;
  }
  parent_knows_ = true;
  to = child_;
  what = Mutate{ConfirmRelease{link_.child_history}, {}};
  registry_.dispatch(this);
}

void ForkRelease::fail(Status status) {
  spdlog::warn("fork release postponed: {}", std::string(status.message()));
  delete this;
}

}  // namespace parley
