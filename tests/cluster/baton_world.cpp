#include "tests/cluster/baton_world.hpp"

#include <algorithm>

namespace parley {

BatonWorld::BatonWorld(uint64_t seed, BatonMutant mutant)
    : random_(seed),
      mutant_(mutant),
      lost_percent_(pick({0, 3, 20})),
      echo_percent_(pick({0, 10, 40})),
      crash_percent_(pick({0, 2, 10})),
      wish_percent_(pick({5, 20, 60})) {
  limits_.window = 3;
  limits_.lag_max = 2;
  limits_.patience_micros = pick({15'000, 100'000});
  limits_.held_micros = pick({40'000, 200'000});
  for (const char* name : {"a", "b", "c"}) {
    Node node;
    node.name = {name};
    nodes_.push_back(std::move(node));
  }
  nodes_[draw(nodes_.size())].stored = {Holding::Kind::owned, {1}, {}, 0};
  for (Node& node : nodes_) boot(node);
}

std::string BatonWorld::run(int steps) {
  for (int i = 0; i < steps && wrong_.empty(); ++i) step(true);
  if (wrong_.empty()) settle(nodes_[draw(nodes_.size())].name);
  return wrong_;
}

BatonWorld::Node& BatonWorld::node(const NodeName& name) {
  return *std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& n) { return n.name == name; });
}

void BatonWorld::boot(Node& node) {
  node.baton = std::make_unique<Baton>(node.name, node.stored, limits_);
  Baton::Outputs out;
  node.baton->start(now_, out);
  carry_out(node, std::move(out), nullptr, false);
  if (wanted_.value.empty()) return;
  out.clear();
  node.baton->want(wanted_, random_(), now_, out);
  carry_out(node, std::move(out), nullptr, false);
}

void BatonWorld::crash(Node& node) {
  ++crashes_;
  if (mutant_ == BatonMutant::forgets_record && chance(50)) node.stored = node.stored_before;
  if (node.in_flight) finish_append(node, false);
  if (node.rows.size() > node.durable_rows) {
    node.rows.resize(node.durable_rows + draw(node.rows.size() - node.durable_rows + 1));
  }
  node.baton.reset();
  node.serving = node.hold = false;
  node.hold_asked.reset();
  node.held.reset();
  node.copying.reset();
  node.back_at = {now_.micros + static_cast<int64_t>(draw(600'000))};
}

void BatonWorld::step(bool faults) {
  now_.micros += static_cast<int64_t>(draw(6'000));
  if (!letters_.empty() && chance(70)) deliver(faults);
  Node& node = nodes_[draw(nodes_.size())];
  if (!node.baton) {
    if (node.back_at <= now_ || !faults) boot(node);
    return check();
  }
  Baton::Outputs out;
  switch (draw(6)) {
    case 0:
      node.baton->tick(now_, out);
      break;
    case 1:
      append(node);
      break;
    case 2:
      if (node.in_flight) finish_append(node, true);
      break;
    case 3:
      if (node.copying) node.baton->readable(*node.copying, node.rows.size(), true, now_, out);
      break;
    case 4:
      if (node.held && chance(70)) {
        const auto [number, end] = *std::exchange(node.held, std::nullopt);
        node.baton->held(number, end, now_, out);
      } else if (node.hold_asked && !node.in_flight) {
        node.held = {*std::exchange(node.hold_asked, std::nullopt), node.rows.size()};
      }
      break;
    default:
      if (!faults) break;
      if (chance(crash_percent_)) return crash(node), check();
      if (chance(wish_percent_)) wanted_ = nodes_[draw(nodes_.size())].name;
      if (!wanted_.value.empty()) node.baton->want(wanted_, random_(), now_, out);
  }
  carry_out(node, std::move(out), nullptr, faults);
  check();
}

void BatonWorld::deliver(bool faults) {
  if (faults && !echoes_.empty() && chance(echo_percent_)) {
    return hand_over(echoes_[draw(echoes_.size())], faults);
  }
  const size_t which = faults ? draw(std::min<size_t>(letters_.size(), 4)) : 0;
  if (letters_[which].at > now_) return;
  const Letter letter = letters_[which];
  letters_.erase(letters_.begin() + static_cast<ptrdiff_t>(which));
  if (chance(10)) echoes_.push_back(letter);
  if (echoes_.size() > 50) echoes_.erase(echoes_.begin() + static_cast<ptrdiff_t>(draw(50)));
  if (!faults || !chance(lost_percent_)) hand_over(letter, faults);
}

void BatonWorld::hand_over(Letter letter, bool faults) {
  Node& to = node(letter.to);
  if (!to.baton) return;
  Baton::Outputs out;
  to.baton->receive(letter.from, letter.message, now_, out);
  carry_out(to, std::move(out), &letter, faults);
}

void BatonWorld::append(Node& node) {
  const bool held = node.hold && mutant_ != BatonMutant::serves_while_held;
  if (!node.serving || held || node.in_flight) return;
  node.in_flight = next_row_++;
}

void BatonWorld::finish_append(Node& node, bool acknowledge) {
  const uint64_t row = *std::exchange(node.in_flight, std::nullopt);
  (acknowledge ? acknowledged_ : unknown_).push_back(row);
  if (!acknowledge && chance(50)) return;
  node.rows.push_back(row);
  // The log has it, whatever else is in the store.
  if (node.durable_rows == node.rows.size() - 1) node.durable_rows = node.rows.size();
}

void BatonWorld::carry_out(Node& node, Baton::Outputs outputs, const Letter* cause, bool faults) {
  for (const auto& output : outputs) {
    if (faults && chance(1)) return crash(node);
    perform(node, output, cause, faults);
    check();
  }
}

void BatonWorld::perform(Node& node, const baton::Output& output, const Letter* cause,
                         bool faults) {
  if (const auto* record = std::get_if<baton::Record>(&output)) {
    node.stored_before = std::exchange(node.stored, record->holding);
    if (record->holding.kind == Holding::Kind::given) ++passes_;
  } else if (const auto* send = std::get_if<baton::Send>(&output)) {
    post(node, *send, faults);
  } else if (std::holds_alternative<baton::Erase>(output)) {
    if (mutant_ != BatonMutant::keeps_old_rows) node.rows.clear();
    node.durable_rows = node.rows.size();
  } else if (std::holds_alternative<baton::Flush>(output)) {
    if (mutant_ != BatonMutant::never_flushes) node.durable_rows = node.rows.size();
  } else if (const auto* store = std::get_if<baton::Store>(&output)) {
    const auto& rows = std::get<baton::Rows>(cause->message);
    node.rows.insert(node.rows.end(),
                     cause->rows.begin() + static_cast<ptrdiff_t>(store->first - rows.first),
                     cause->rows.end());
  } else if (const auto* copy = std::get_if<baton::StartCopy>(&output)) {
    node.copying = copy->attempt;
  } else if (std::holds_alternative<baton::StopCopy>(output)) {
    node.copying.reset();
  } else if (const auto* hold = std::get_if<baton::HoldCalls>(&output)) {
    node.hold = true;
    node.hold_asked = hold->number;
  } else if (std::holds_alternative<baton::ResumeCalls>(output)) {
    node.hold = false;
    node.hold_asked.reset();
  } else if (std::holds_alternative<baton::Serve>(output)) {
    begin_serving(node);
  } else if (std::holds_alternative<baton::StopServing>(output)) {
    node.serving = mutant_ == BatonMutant::serves_after_giving;
    node.hold = false;
  }
}

void BatonWorld::post(Node& node, const baton::Send& send, bool faults) {
  Letter letter{node.name, send.to, send.message, {}, now_};
  if (faults) letter.at.micros += static_cast<int64_t>(draw(10'000));
  if (const auto* rows = std::get_if<baton::Rows>(&send.message)) {
    if (rows->last > node.rows.size()) return wrong("rows are sent that are not there");
    for (uint64_t at = rows->first; at <= rows->last; ++at)
      letter.rows.push_back(node.rows[at - 1]);
  }
  letters_.push_back(std::move(letter));
}

void BatonWorld::begin_serving(Node& node) {
  node.serving = true;
  node.hold = false;
  if (!std::is_sorted(node.rows.begin(), node.rows.end(), std::less_equal<>())) {
    wrong("rows out of order or twice");
  }
  if (!std::includes(node.rows.begin(), node.rows.end(), acknowledged_.begin(),
                     acknowledged_.end())) {
    wrong("an acknowledged row is lost");
  }
  for (const uint64_t row : node.rows) {
    const bool known =
        std::find(acknowledged_.begin(), acknowledged_.end(), row) != acknowledged_.end() ||
        std::find(unknown_.begin(), unknown_.end(), row) != unknown_.end();
    if (!known) wrong("a row that nobody appended");
  }
}

void BatonWorld::check() {
  int serving = 0;
  for (const Node& node : nodes_) {
    if (!node.serving || node.hold) continue;
    ++serving;
    if (node.stored.kind != Holding::Kind::owned) wrong("serves what its storage does not own");
  }
  if (serving > 1) wrong("two nodes serve");
}

void BatonWorld::settle(const NodeName& where) {
  wanted_ = where;
  for (Node& node : nodes_) {
    if (!node.baton) boot(node);
    Baton::Outputs out;
    node.baton->want(wanted_, random_(), now_, out);
    carry_out(node, std::move(out), nullptr, false);
  }
  for (int i = 0; i < 20'000 && wrong_.empty(); ++i) {
    step(false);
    const bool still =
        std::all_of(nodes_.begin(), nodes_.end(), [](const Node& n) { return n.baton->resting(); });
    if (still && letters_.empty() && node(where).serving) break;
  }
  for (const Node& node : nodes_) {
    const bool here = node.name == where;
    if (node.serving != here) return wrong("does not come to rest where it is wanted");
    if (!node.baton->resting()) return wrong("does not come to rest");
    if (!here && !node.rows.empty()) return wrong("rows stay behind");
  }
}

}  // namespace parley
