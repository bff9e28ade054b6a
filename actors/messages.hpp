#pragma once

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include "actors/call.hpp"

/// Messages between our actors of one process. None may ever reach another process: a remote link
/// carries one wire type only (cluster/).
namespace parley {

/// Read the conversation from storage. The first message of every activation, on a thread that may
/// block.
struct LoadMessage {};

/// A call. The actor owes it one answer.
struct CallMessage {
  Call* call = nullptr;
};

/// The batch under way is finished.
struct WrittenMessage {
  WriteOutcome outcome = WriteOutcome::unknown;
};

/// This watcher has gone.
struct UnfollowMessage {
  uint64_t watcher = 0;
};

/// Take up what is left unfinished.
struct WakeMessage {};

/// End when nothing is under way. No call follows.
struct RetireMessage {};

/// By which right the actor answers.
struct OwnershipMessage {
  Ownership ownership;
};

}  // namespace parley

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(parley::LoadMessage)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(parley::CallMessage)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(parley::WrittenMessage)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(parley::UnfollowMessage)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(parley::WakeMessage)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(parley::RetireMessage)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(parley::OwnershipMessage)
