#include "tests/fuzz/world.hpp"

/// Sequences of commands on a few conversations: creations, appends, forks, resets, deletions,
/// releases, repetitions, wrong versions, a clock that jumps. The input is the sequence.
namespace parley::fuzz {
namespace {

std::string text(Input& input) {
  static constexpr const char* k_texts[] = {"", "a", "bb", "\u00e4\u00f6"};
  return k_texts[input.below(4)];
}

Charge charge(Input& input) {
  Charge made;
  made.usage = {input.byte(), input.byte(), input.byte(), 0, 0, 0};
  if (input.flip()) {
    const int sign = input.flip() ? 1 : -1;
    made.cost = Money{input.flip() ? "EUR" : "USD", sign * input.byte(), sign * 999'999'999};
  }
  made.model = text(input);
  return made;
}

Policy policy(Input& input) {
  return {1U + input.byte() % 8, 1U + input.byte() % 40, 1 + input.byte() % 4};
}

CreateConversation creation(Input& input) {
  CreateConversation command;
  command.user = text(input);
  command.policy = policy(input);
  command.get_or_create = input.flip();
  return command;
}

AppendMessages append(Input& input) {
  AppendMessages command;
  for (size_t count = 1 + input.below(4); count > 0; --count) {
    NewMessage message = build::message(text(input));
    message.role = static_cast<Role>(1 + input.below(4));
    if (input.flip()) message.charge = charge(input);
    command.messages.push_back(std::move(message));
  }
  if (input.flip()) command.create_if_missing = creation(input);
  return command;
}

UpdateConversation update(Input& input) {
  static constexpr const char* k_patches[] = {
      R"({"a":1})",
      R"({"a":null})",
      R"({"b":{"c":{"d":{"e":1}}}})",
      R"({"long":"0123456789012345678901234567890123456789"})",
      "[]",
      "{",
      R"({"b":{"c":[]}})",
      ""};
  UpdateConversation command;
  if (input.flip()) command.title = text(input);
  if (input.flip()) command.metadata_patch = k_patches[input.below(std::size(k_patches))];
  if (input.flip()) command.labels_patch = {{"k" + text(input), text(input)}, {"l", text(input)}};
  if (input.flip()) command.policy = policy(input);
  if (input.flip()) command.lifecycle = input.flip() ? Lifecycle::archived : Lifecycle::active;
  return command;
}

CommandMeta meta(Input& input, const State& state) {
  CommandMeta made;
  made.request = build::id(input.below(32));  // 0: none
  made.digest = input.below(2);
  if (input.below(8) == 1) made.expected = Version{state.version.value + input.below(2)};
  return made;
}

/// How far the clock may jump: less and more than requests are remembered.
constexpr int64_t k_jump_micros = 200'000;

void note_fork(World& world, size_t thread, Input& input) {
  std::optional<Sequence> at;
  if (input.flip()) at = Sequence{input.below(8)};
  const size_t child = input.below(World::k_threads);
  world.note_fork(thread, child, at, meta(input, world.state(thread)));
}

void act(World& world, Input& input) {
  const size_t thread = input.below(World::k_threads);
  // Why: what is read off the input must not depend on a compiler's order of arguments.
  const auto run = [&](const Command& command) {
    world.run(thread, command, meta(input, world.state(thread)));
  };
  switch (input.below(12)) {
    case 0:
      return run(creation(input));
    case 1:
    case 2:
      return run(append(input));
    case 3:
      return run(update(input));
    case 4:
      return run(RecordUsage{charge(input)});
    case 5:
      return run(ResetConversation{});
    case 6:
      return run(DeleteConversation{input.flip()});
    case 7:
      return note_fork(world, thread, input);
    case 8:
    case 9:
      if (world.forks().empty()) return;
      return world.create_child(world.forks()[input.below(world.forks().size())]);
    case 10:
      return world.release(thread, input.below(3));
    default:
      return world.pass((input.byte() - 100) * k_jump_micros);
  }
}

}  // namespace
}  // namespace parley::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace parley;
  constexpr size_t k_input_bytes_max = 512;  // longer ones only take longer
  fuzz::Input input(data, std::min(size, k_input_bytes_max));
  fuzz::World world;
  while (!input.empty()) fuzz::act(world, input);
  world.end();
  return 0;
}
