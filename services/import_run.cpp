#include "services/import_run.hpp"

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "services/import_step.hpp"

namespace parley {
namespace {

constexpr size_t k_under_way_max = 64;
/// How often a conversation is tried again that is on its way to another node, and after how long.
constexpr int k_tries_max = 100;
constexpr auto k_again_after = std::chrono::milliseconds(100);

/// What of a record could not be decoded.
enum class Part : uint8_t { line, header, messages, unknown };

Part part_of(const ApiError& why) {
  if (why.violations.empty()) return Part::unknown;
  const std::string_view field = why.violations.front().field;
  if (field.starts_with("record.jsonl")) return Part::line;
  if (field.starts_with("record.header")) return Part::header;
  return field.starts_with("record.messages") ? Part::messages : Part::unknown;
}

}  // namespace

/// One conversation being imported: created, then given what it lacks, all appends at once; from
/// the beginning where it moved meanwhile. The steps run wherever its calls are answered; the run's
/// thread waits for `over`.
class ImportRun::Job : public std::enable_shared_from_this<Job> {
 public:
  Job(Node& node, Address address, std::function<void()> on_over)
      : node_(node), address_(std::move(address)), on_over_(std::move(on_over)) {
    response_.set_thread_id(address_.key.thread);
  }

  void start(std::vector<ImportPiece> pieces) {
    pieces_ = std::move(pieces);
    begin();
  }

  void refuse(const ApiError& error) {
    absl::MutexLock lock(&mutex_);
    set_refused(error);
    over_ = true;
    on_over_();
  }

  [[nodiscard]] bool over() {
    absl::MutexLock lock(&mutex_);
    return over_;
  }

  v1::ImportConversationsResponse wait() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&over_));
    return response_;
  }

 private:
  void begin() {
    import_piece(node_, address_, pieces_.front().asked,
                 [self = shared_from_this()](const ImportStep& step) { self->on_created(step); });
  }

  /// Nothing was done, or it makes no difference (each piece has a request id), and it goes well
  /// soon.
  bool begins_anew(const ApiError& why) {
    const bool gone_over = node_.shares_journal() && why.code == absl::StatusCode::kUnavailable &&
                           why.reason != error_row(ErrorId::server_draining).reason;
    if (!is_not_owner(why) && !gone_over) return false;
    if (tries_++ >= k_tries_max || node_.traffic.draining) return false;
    node_.in_background([self = shared_from_this()] {
      std::this_thread::sleep_for(k_again_after);
      self->begin();
    });
    return true;
  }

  void on_created(const ImportStep& step) {
    if (step.refused && begins_anew(*step.refused)) return;
    if (step.refused) return refuse(*step.refused);
    created_ = created_ || step.created;
    there_ = step.there;
    append_missing();
  }

  void append_missing() {
    std::vector<ImportPiece*> missing;
    for (size_t i = 1; i < pieces_.size(); ++i) {
      ImportPiece& piece = pieces_[i];
      const uint64_t last = piece.first + piece.count - 1;
      if (piece.count > 0 && last <= there_.value) continue;
      if (piece.count > 0 && piece.first <= there_.value) {
        return refuse(make_error(ErrorId::import_conflict, {{"thread_id", address_.key.thread}}));
      }
      if (piece.count > 0 || created_ || !missing.empty()) missing.push_back(&piece);
    }
    {
      absl::MutexLock lock(&mutex_);
      left_ = missing.size();
      if (left_ == 0) return end();
    }
    // Why one by one elsewhere: what goes to another node may be refused, or overtaken, on its way,
    // and the piece behind it would take its place.
    if (node_.elsewhere(address_) != nullptr) return append_next(std::move(missing), 0);
    for (ImportPiece* piece : missing) {
      import_piece(node_, address_, piece->asked,
                   [self = shared_from_this(), count = piece->count](const ImportStep& step) {
                     self->on_appended(step, count);
                   });
    }
  }

  void append_next(std::vector<ImportPiece*> missing, size_t next) {
    ImportPiece& piece = *missing[next];
    auto done = [self = shared_from_this(), missing = std::move(missing), next,
                 count = piece.count](const ImportStep& step) mutable {
      if (step.refused) {
        absl::MutexLock lock(&self->mutex_);
        self->left_ = 1;  // nothing comes behind it
      }
      self->on_appended(step, count);
      if (!step.refused && next + 1 < missing.size()) {
        self->append_next(std::move(missing), next + 1);
      }
    };
    import_piece(node_, address_, piece.asked, std::move(done));
  }

  void on_appended(const ImportStep& step, uint64_t count) {
    absl::MutexLock lock(&mutex_);
    if (step.refused) {
      refusal_ = *step.refused;
    } else if (!step.replayed) {
      imported_ += count;
    }
    if (--left_ > 0) return;
    const auto refusal = std::exchange(refusal_, std::nullopt);
    if (refusal && begins_anew(*refusal)) return;
    if (refusal) set_refused(*refusal);
    end();
  }

  void set_refused(const ApiError& error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    response_.set_result(v1::IMPORT_RESULT_REFUSED);
    response_.set_error(error.message);
    response_.set_error_reason(error.reason);
  }

  void end() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    response_.set_messages_imported(static_cast<int64_t>(imported_));
    if (response_.result() == v1::IMPORT_RESULT_UNSPECIFIED) {
      response_.set_result(created_        ? v1::IMPORT_RESULT_CREATED
                           : imported_ > 0 ? v1::IMPORT_RESULT_COMPLETED
                                           : v1::IMPORT_RESULT_UNCHANGED);
    }
    over_ = true;
    on_over_();
  }

  Node& node_;
  const Address address_;
  const std::function<void()> on_over_;
  std::vector<ImportPiece> pieces_;
  Sequence there_;
  bool created_ = false;
  int tries_ = 0;

  absl::Mutex mutex_;
  size_t left_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t imported_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<ApiError> refusal_ ABSL_GUARDED_BY(mutex_);  ///< of a piece
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  v1::ImportConversationsResponse response_ ABSL_GUARDED_BY(mutex_);
};

ImportRun::ImportRun(Node& node, std::string tenant, Send send, std::function<void()> on_progress)
    : node_(node),
      tenant_(std::move(tenant)),
      send_(std::move(send)),
      on_progress_(std::move(on_progress)),
      reader_(node.environment.limits) {}

ImportRun::~ImportRun() = default;

bool ImportRun::take(v1::TransferRecord record) {
  switch (record.record_case()) {
    case v1::TransferRecord::kJsonl:
      begin(parse_jsonl(record.jsonl(), node_.environment.limits));
      break;
    case v1::TransferRecord::kHeader: {
      close_open();
      const std::string thread = record.header().thread_id();
      if (auto error = reader_.begin(std::move(*record.mutable_header()))) refuse(thread, *error);
      break;
    }
    case v1::TransferRecord::kMessages: {
      const std::string thread = reader_.open() ? reader_.current().header.thread_id() : "";
      if (auto error = reader_.add(std::move(*record.mutable_messages()))) refuse(thread, *error);
      break;
    }
    case v1::TransferRecord::RECORD_NOT_SET:
      refuse("", invalid_field("record", "is required: set jsonl, header or messages"));
      break;
  }
  settle(k_under_way_max);
  return listening_;
}

bool ImportRun::take_undecodable(const ApiError& why) {
  switch (part_of(why)) {
    case Part::header:
      close_open();
      reader_.give_up();
      refuse("", why);
      break;
    case Part::messages:
      if (!reader_.passing_over()) refuse_open(why);
      break;
    case Part::line:
      refuse("", why);
      break;
    case Part::unknown:
      refuse_open(why);
      break;
  }
  settle(k_under_way_max);
  return listening_;
}

void ImportRun::finish() {
  close_open();
  settle(1);
}

void ImportRun::begin(Checked<ImportedConversation> imported) {
  if (auto* error = std::get_if<ApiError>(&imported)) return refuse("", *error);
  auto& conversation = std::get<ImportedConversation>(imported);
  const std::string thread = conversation.header.thread_id();
  auto pieces = import_pieces(std::move(conversation), node_.environment.limits);
  if (auto* error = std::get_if<ApiError>(&pieces)) return refuse(thread, *error);
  auto job = std::make_shared<Job>(node_, node_.address(tenant_, thread), on_progress_);
  under_way_.push_back(job);
  job->start(std::get<std::vector<ImportPiece>>(std::move(pieces)));
}

void ImportRun::refuse_open(const ApiError& error) {
  // Why the whole conversation: without this part it would be another one.
  const std::string thread = reader_.open() ? reader_.current().header.thread_id() : "";
  if (reader_.open()) reader_.give_up();
  refuse(thread, error);
}

void ImportRun::refuse(const std::string& thread, const ApiError& error) {
  auto job = std::make_shared<Job>(node_, node_.address(tenant_, thread), on_progress_);
  under_way_.push_back(job);
  job->refuse(error);
}

void ImportRun::send_ready() {
  while (!under_way_.empty() && under_way_.front()->over()) settle(under_way_.size());
}

void ImportRun::settle(size_t left) {
  while (under_way_.size() >= left && !under_way_.empty()) {
    const v1::ImportConversationsResponse response = under_way_.front()->wait();
    under_way_.pop_front();
    listening_ = listening_ && send_(response);
  }
}

}  // namespace parley
