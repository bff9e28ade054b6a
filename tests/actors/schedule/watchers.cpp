#include "tests/actors/schedule/watchers.hpp"

#include <algorithm>
#include <utility>

namespace parley::schedule {

class Watchers::Question final : public Call {
 public:
  Question(Watchers& watchers, size_t seat, size_t number)
      : watchers_(watchers), seat_(seat), number_(number) {
    const Watcher& of = watcher();
    to = stage().address(of.thread);
    what = Follow{of.after, of.id, of.after == Version{0} && stage().rng.chance(700)};
  }

  void answer(Outcome outcome, bool) override {
    if (!answered()) return;
    const auto* refusal = std::get_if<Refusal>(&outcome);
    if (refusal == nullptr) return stage().fail("a watcher was answered like a reader");
    // Said to be absent, or short of what the watcher has.
    const bool absent = refusal->reason == Reason::conversation_not_found;
    claim(true, absent ? Version{1} : watcher().after, asked().asked);
    watcher().after = {};
  }
  void fail(Status) override { answered(); }
  void events(std::vector<std::shared_ptr<const EventList>> lists) override {
    if (!answered()) return;
    EventList all;
    for (const auto& list : lists) all.insert(all.end(), list->begin(), list->end());
    watchers_.take(seat_, std::move(all), false);
    if (stage().rng.chance(stage().rates.nested)) watchers_.ask(seat_);
  }
  void look_back(Version durable) override {
    if (!answered()) return;
    claim(false, durable, 0);  // more may be durable than the actor has heard of
    watcher().looking_back = true;
    if (stage().rng.chance(500)) watchers_.read_back(seat_);
  }

 private:
  Stage& stage() { return watchers_.stage_; }
  Watcher& watcher() { return watchers_.watchers_[seat_]; }
  Asked& asked() { return stage().record.follows[number_]; }

  /// True where the watcher is still there to hear it.
  bool answered() {
    stage().trace("followed", asked().watcher, number_);
    if (++asked().answers > 1) stage().fail("a watcher's question was answered twice");
    if (watcher().id != asked().watcher) return false;
    watcher().asking = false;
    return true;
  }
  void claim(bool below, Version version, Tick since) {
    auto& record = stage().record;
    record.claims.push_back({watcher().thread, below, version, since, record.tick()});
  }

  Watchers& watchers_;
  const size_t seat_;
  const size_t number_;
};

Watchers::Watchers(Stage& stage) : stage_(stage) {
  for (size_t seat = 0; seat < watchers_.size(); ++seat) begin(seat);
}

void Watchers::begin(size_t seat) {
  const size_t thread = stage_.rng.below(k_threads);
  const Version after = stage_.rng.chance(500) ? Version{} : stored_version(thread);
  watchers_[seat] = {++last_id_, thread, after};
}

void Watchers::act(size_t seat) {
  Watcher& watcher = watchers_[seat];
  if (watcher.looking_back) {
    read_back(seat);
  } else if (!watcher.asking) {
    ask(seat);
  }
}

void Watchers::act_all() {
  for (size_t seat = 0; seat < watchers_.size(); ++seat) act(seat);
}

void Watchers::ask(size_t seat) {
  Watcher& watcher = watchers_[seat];
  watcher.asking = true;
  stage_.trace("ask", watcher.id, watcher.after.value);
  auto& follows = stage_.record.follows;
  follows.push_back({watcher.id, stage_.record.tick(), 0});
  questions_.push_back(std::make_unique<Question>(*this, seat, follows.size() - 1));
  stage_.registry().dispatch(questions_.back().get());
}

void Watchers::read_back(size_t seat) {
  Watcher& watcher = watchers_[seat];
  watcher.looking_back = false;
  const Address& address = stage_.address(watcher.thread);
  const PageBounds bounds{.count_max = 1 + stage_.rng.below(5)};
  auto events = stage_.journal.read_events(address.key, address.shard, watcher.after, bounds);
  if (!events.ok()) return;  // deleted meanwhile: the conversation will say so
  if (stage_.lie == Lie::skips_in_history && events->size() > 1) events->erase(events->begin());
  take(seat, *std::move(events), true);
}

void Watchers::take(size_t seat, EventList events, bool looked_back) {
  Watcher& watcher = watchers_[seat];
  const auto known = std::find_if(events.begin(), events.end(), [&](const Event& event) {
    return event.version > watcher.after;
  });
  events.erase(events.begin(), known);
  if (events.empty()) {
    if (!looked_back) stage_.fail("a watcher was given nothing new");
    return;
  }
  stage_.trace("take", watcher.id, events.size());
  const Version after = watcher.after;
  watcher.after = events.back().version;
  if (std::holds_alternative<ConversationDeleted>(events.back().body)) watcher.after = {};
  stage_.record.deliveries.push_back(
      {watcher.thread, after, std::move(events), stage_.record.tick(), looked_back});
}

void Watchers::leave() {
  const size_t seat = stage_.rng.below(watchers_.size());
  const Watcher gone = watchers_[seat];
  begin(seat);
  stage_.trace("leave", gone.id);
  stage_.registry().unfollow(stage_.address(gone.thread), gone.id);
}

void Watchers::leave_for_good() {
  for (Watcher& watcher : watchers_) {
    const Watcher gone = std::exchange(watcher, Watcher{++last_id_, watcher.thread, {}});
    stage_.registry().unfollow(stage_.address(gone.thread), gone.id);
  }
}

Version Watchers::stored_version(size_t thread) const {
  const Address& address = stage_.address(thread);
  const auto state = stage_.journal.read_state(address.key, address.shard);
  return state.ok() ? state->version : Version{0};
}

bool Watchers::caught_up() const {
  return std::all_of(watchers_.begin(), watchers_.end(), [&](const Watcher& watcher) {
    return watcher.asking && watcher.after == stored_version(watcher.thread);
  });
}

bool Watchers::all_released() const {
  const auto& follows = stage_.record.follows;
  return std::all_of(follows.begin(), follows.end(), [&](const Asked& asked) {
    return asked.answers == 1 ||
           std::any_of(watchers_.begin(), watchers_.end(), [&](const Watcher& watcher) {
             return watcher.id == asked.watcher && watcher.asking;
           });
  });
}

}  // namespace parley::schedule
