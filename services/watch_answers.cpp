#include "services/watch_answers.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "parley/v1/conversation.pb.h"
#include "services/metadata_json.hpp"
#include "services/translate.hpp"
#include "services/wire.hpp"

namespace parley {
namespace {

using Answer = v1::WatchConversationResponse;

/// What a created and an updated event have in common.
template <class Facts>
void fill_facts(const Facts& facts, const Event& event, const std::string& thread,
                v1::Conversation& out) {
  out.set_thread_id(thread);
  out.set_user_id(facts.user);
  out.set_title(facts.title);
  out.set_version(static_cast<int64_t>(event.version.value));
  fill_time(event.time, *out.mutable_last_activity_time());
  if (!facts.metadata.empty()) parse_json(facts.metadata, *out.mutable_metadata());
  out.mutable_labels()->insert(facts.labels.begin(), facts.labels.end());
  fill_policy(facts.policy, *out.mutable_policy());
}

Answer answer_at(Version version, WallTime time) {
  Answer answer;
  answer.set_version(static_cast<int64_t>(version.value));
  fill_time(time, *answer.mutable_time());
  return answer;
}

bool all_there(const MessagesAppended& appended) {
  return std::all_of(appended.messages.begin(), appended.messages.end(),
                     [](const AppendedMessage& message) { return message.body != nullptr; });
}

/// Straight from the stored bytes.
std::string encode_messages(const Event& event, const MessagesAppended& appended,
                            const Id128& history) {
  std::string list;
  list.reserve(appended.bytes + appended.messages.size() * 112);
  Message message{.sequence = appended.first,
                  .version = event.version,
                  .create_time = event.time,
                  .role = Role::user,
                  .body = nullptr};
  for (const AppendedMessage& each : appended.messages) {
    message.body = each.body;
    append_wire_message_field(v1::MessagesAppended::kMessagesFieldNumber, message, history, list);
    ++message.sequence.value;
  }
  std::string out;
  out.reserve(list.size() + 48);
  PARLEY_CHECK(answer_at(event.version, event.time).AppendToString(&out));
  append_length_delimited(Answer::kMessagesAppendedFieldNumber, list, out);
  return out;
}

}  // namespace

WatchBeginning WatchBeginning::of(const State& state) {
  WatchBeginning beginning{state.current.history, state.reset_version, {}};
  const auto note = [&](const Lineage& lineage) {
    for (const ForkChild& child : lineage.children) beginning.children[child.history] = child;
  };
  note(state.current);
  std::for_each(state.former.begin(), state.former.end(), note);
  return beginning;
}

std::string WatchAnswers::encode(const Event& event) {
  if (const auto* appended = std::get_if<MessagesAppended>(&event.body)) {
    if (event.version >= known_.reset && all_there(*appended)) {
      return encode_messages(event, *appended, known_.history);
    }
    Answer answer = answer_at(event.version, event.time);
    answer.mutable_messages_appended()->set_erased(static_cast<int32_t>(appended->messages.size()));
    return answer.SerializeAsString();
  }
  Answer answer = answer_at(event.version, event.time);
  if (const auto* created = std::get_if<ConversationCreated>(&event.body)) {
    known_.history = created->lineage.history;
    auto& out = *answer.mutable_created();
    fill_facts(*created, event, thread_, out);
    out.set_state(v1::CONVERSATION_STATE_ACTIVE);
    fill_time(event.time, *out.mutable_create_time());
    out.set_message_count(static_cast<int64_t>(created->lineage.shared_through().value));
    out.set_source_json(created->source_json);
    if (created->origin) {
      out.mutable_fork_origin()->set_thread_id(created->origin->thread);
      out.mutable_fork_origin()->set_sequence(static_cast<int64_t>(created->origin->at.value));
    }
  } else if (const auto* updated = std::get_if<ConversationUpdated>(&event.body)) {
    fill_facts(*updated, event, thread_, *answer.mutable_updated());
    answer.mutable_updated()->set_state(to_proto(updated->lifecycle));
  } else if (std::holds_alternative<UsageRecorded>(event.body)) {
    *answer.mutable_usage_recorded() = usage_records(event).front();
  } else if (const auto* reset = std::get_if<ConversationReset>(&event.body)) {
    known_.history = reset->lineage.history;
    answer.mutable_reset();
  } else if (const auto* noted = std::get_if<ForkNoted>(&event.body)) {
    known_.children[noted->child.history] = noted->child;
    answer.mutable_fork_noted()->set_thread_id(noted->child.thread);
    answer.mutable_fork_noted()->set_sequence(static_cast<int64_t>(noted->child.at.value));
  } else if (const auto* released = std::get_if<ForkReleased>(&event.body)) {
    auto& out = *answer.mutable_fork_noted();
    out.set_released(true);
    if (auto child = known_.children.extract(released->child_history)) {
      out.set_thread_id(child.mapped().thread);
      out.set_sequence(static_cast<int64_t>(child.mapped().at.value));
    }
  } else if (std::holds_alternative<ConversationDeleted>(event.body)) {
    answer.mutable_deleted();
  } else {
    PARLEY_CHECK(std::holds_alternative<ReleaseConfirmed>(event.body));
    answer.mutable_parent_released();
  }
  return answer.SerializeAsString();
}

std::string WatchAnswers::heartbeat(Version version, WallTime now) {
  Answer answer = answer_at(version, now);
  answer.mutable_heartbeat();
  return answer.SerializeAsString();
}

}  // namespace parley
