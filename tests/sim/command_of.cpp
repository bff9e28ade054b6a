#include "tests/sim/command_of.hpp"

#include "base/check.hpp"
#include "tests/sim/settings.hpp"

namespace parley::sim {
namespace {

CreateConversation creation(const Op& op, OpId id) {
  CreateConversation create;
  create.user = thread_name(op.thread);
  create.title = std::to_string(id);
  create.policy.hot_window_messages = 1 + id % 7;
  create.get_or_create = op.lenient;
  return create;
}

AppendMessages append(const Op& op, OpId id) {
  AppendMessages append;
  for (uint32_t i = 0; i < op.bodies; ++i) {
    append.messages.push_back(
        {Role::user, std::make_shared<const std::string>(std::to_string(op.first_body + i)), {}});
  }
  if (op.lenient) append.create_if_missing = creation(op, id);
  return append;
}

UpdateConversation update(const Op& op, OpId id) {
  UpdateConversation update;
  update.title = std::to_string(id);
  update.lifecycle = op.lifecycle;
  return update;
}

}  // namespace

Command command_of(const Op& op, OpId id) {
  switch (op.kind) {
    case Kind::create:
      return creation(op, id);
    case Kind::append:
      return append(op, id);
    case Kind::update:
      return update(op, id);
    case Kind::record_usage:
      return RecordUsage{{.usage = {.total = 1}, .model = "m"}};
    case Kind::reset:
      return ResetConversation{};
    case Kind::remove:
      return DeleteConversation{.allow_missing = op.lenient};
    case Kind::note_fork:
      return NoteFork{thread_name(op.child), op.at};
    case Kind::create_fork: {
      CreateConversation create;
      create.fork = op.fork;
      return create;
    }
    case Kind::release_fork:
      return ReleaseFork{op.child_history};
    case Kind::confirm_release:
      return ConfirmRelease{op.child_history};
    case Kind::read:
      break;
  }
  PARLEY_CHECK(false && "a read is no command");
  return ResetConversation{};
}

CommandMeta meta_of(const Op& op, OpId id) {
  CommandMeta meta;
  if (op.with_request) meta.request = request_id(id);
  meta.digest = id + 1;
  meta.expected = op.expected;
  return meta;
}

}  // namespace parley::sim
