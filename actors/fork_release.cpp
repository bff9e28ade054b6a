#include "actors/fork_release.hpp"

#include <utility>

#include "actors/registry.hpp"
#include "base/log.hpp"

namespace parley {

ForkRelease::ForkRelease(Registry& registry, uint32_t shard_count, Address child, ParentLink link)
    : registry_(registry), child_(std::move(child)), link_(std::move(link)) {
  to = Address::of({child_.key.tenant, link_.thread}, shard_count);
  what = Mutate{ReleaseFork{link_.child_history}, {}};
}

void ForkRelease::answer(Outcome outcome, bool) {
  if (parent_knows_) {
    delete this;
    return;
  }
  const auto* refusal = std::get_if<Refusal>(&outcome);
  // A parent that does not know the fork has been told before.
  const bool told = std::holds_alternative<Receipt>(outcome) ||
                    (refusal != nullptr && refusal->reason == Reason::fork_not_found);
  if (!told) {
    spdlog::warn("fork release postponed: parent busy, shard {}", to.shard.value);
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
