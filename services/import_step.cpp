#include "services/import_step.hpp"

#include <memory>
#include <utility>

#include "parley/cluster/v1/peer.pb.h"
#include "services/lambda_call.hpp"
#include "storage/codec.hpp"

namespace parley {
namespace {

namespace pb = cluster::v1;

constexpr const char* k_import_piece = "ImportPiece";
constexpr size_t k_id_bytes = sizeof(Id128::bytes);
constexpr int64_t k_answer_micros = 30'000'000;

bool creates(const Command& command) { return std::holds_alternative<CreateConversation>(command); }

/// A repetition is answered from memory of the first time: how far that got has to be read.
void read_how_far(Node& node, const Address& address, ImportStep step, OnImportStep done) {
  auto there = std::make_shared<Sequence>();
  const auto shown = [there](const State& state, const RecentMessages&) {
    *there = state.last_sequence;
  };
  auto read = [there, step, done = std::move(done)](const Done& answer) mutable {
    if (answer.receipt() == nullptr) step.refused = answer.error();
    step.there = *there;
    done(std::move(step));
  };
  node.registry.dispatch(new LambdaCall(node, address, Read{}, std::move(read), shown));
}

void import_here(Node& node, const Address& address, Asked piece, OnImportStep done) {
  const bool creation = creates(piece.command);
  auto there = std::make_shared<Sequence>();
  const auto shown = [there](const State& state, const RecentMessages&) {
    *there = state.last_sequence;
  };
  auto carried_out = [&node, address, creation, there, done = std::move(done)](const Done& answer) {
    ImportStep step;
    if (answer.receipt() == nullptr) {
      step.refused = answer.error();
      return done(std::move(step));
    }
    step.replayed = answer.replayed;
    step.created = answer.receipt()->created && !answer.replayed;
    step.there = *there;
    if (creation && answer.replayed) return read_how_far(node, address, std::move(step), done);
    done(std::move(step));
  };
  node.registry.dispatch(new LambdaCall(node, address,
                                        Mutate{std::move(piece.command), piece.meta, creation},
                                        std::move(carried_out), shown));
}

/// The event that the piece is to make; nothing for one that archives.
std::optional<Event> event_of(Command command) {
  Event event{.version = {1}, .time = {}, .dedup = {}, .body = {}};
  if (auto* create = std::get_if<CreateConversation>(&command)) {
    event.body = ConversationCreated{.user = std::move(create->user),
                                     .title = std::move(create->title),
                                     .metadata = std::move(create->metadata),
                                     .labels = std::move(create->labels),
                                     .policy = create->policy,
                                     .source_json = std::move(create->source_json),
                                     .lineage = {},
                                     .origin = {}};
    return event;
  }
  auto* append = std::get_if<AppendMessages>(&command);
  if (append == nullptr) return std::nullopt;
  MessagesAppended appended{.first = {1}, .bytes = 0, .messages = {}};
  for (NewMessage& message : append->messages) {
    appended.bytes += message.body->size();
    appended.messages.push_back({message.role, std::move(message.body), std::move(message.charge)});
  }
  event.body = std::move(appended);
  return event;
}

std::optional<Command> command_of(const std::string& bytes) {
  if (bytes.empty()) return UpdateConversation{.lifecycle = Lifecycle::archived};
  auto events = decode_feed(bytes);
  if (!events.ok()) return std::nullopt;
  if (auto* created = std::get_if<ConversationCreated>(&events->front().body)) {
    CreateConversation create;
    create.user = std::move(created->user);
    create.title = std::move(created->title);
    create.metadata = std::move(created->metadata);
    create.labels = std::move(created->labels);
    create.policy = created->policy;
    create.source_json = std::move(created->source_json);
    create.get_or_create = true;
    return create;
  }
  auto* appended = std::get_if<MessagesAppended>(&events->front().body);
  if (appended == nullptr) return std::nullopt;
  AppendMessages append;
  for (AppendedMessage& message : appended->messages) {
    if (message.body == nullptr) return std::nullopt;
    append.messages.push_back({message.role, std::move(message.body), std::move(message.charge)});
  }
  return append;
}

void import_elsewhere(Node& node, const NodeName& owner, const Address& address, Asked piece,
                      OnImportStep done) {
  pb::ImportPieceRequest asked;
  asked.set_thread_id(address.key.thread);
  asked.set_request(std::string(piece.meta.request.view()));
  asked.set_digest(piece.meta.digest);
  if (const auto event = event_of(std::move(piece.command))) {
    const Event* only = &*event;
    asked.set_event(encode_feed({&only, 1}));
  }
  auto told = [done = std::move(done)](const Checked<std::string>& answer) {
    ImportStep step;
    pb::ImportPieceAnswer how;
    if (const auto* error = std::get_if<ApiError>(&answer)) {
      step.refused = *error;
    } else if (!how.ParseFromString(std::get<std::string>(answer))) {
      step.refused = make_error(ErrorId::internal);
    }
    step.created = how.created();
    step.replayed = how.replayed();
    step.there = {how.messages()};
    done(std::move(step));
  };
  node.router->ask(owner,
                   {k_import_piece, address.key.tenant, asked.SerializeAsString(), k_answer_micros},
                   new AnswerWaiter(node, owner, std::move(told)));
}

void import_for_peer(Node& node, UnaryCall<pb::ImportPieceRequest>* call) {
  const Address address = node.address(call->tenant, call->request.thread_id());
  if (refused(node, address.shard, *call)) return;
  auto command = command_of(call->request.event());
  if (!command || call->request.request().size() != k_id_bytes) {
    return call->finish_error(make_error(ErrorId::invalid_request));
  }
  CommandMeta meta;
  meta.request = Id128::from_bytes(call->request.request());
  meta.digest = call->request.digest();
  import_here(node, address, {*std::move(command), meta}, [call](const ImportStep& step) {
    if (step.refused) return call->finish_error(*step.refused);
    pb::ImportPieceAnswer answer;
    answer.set_created(step.created);
    answer.set_replayed(step.replayed);
    answer.set_messages(step.there.value);
    call->finish_message(answer);
  });
}

}  // namespace

void import_piece(Node& node, const Address& address, Asked piece, OnImportStep done) {
  if (const NodeName* owner = node.elsewhere(address)) {
    return import_elsewhere(node, *owner, address, std::move(piece), std::move(done));
  }
  import_here(node, address, std::move(piece), std::move(done));
}

void serve_import_pieces(Node& node, PeerCalls& peers) {
  peers.add<pb::ImportPieceRequest>(k_import_piece,
                                    [&node](auto* call) { import_for_peer(node, call); });
}

}  // namespace parley
