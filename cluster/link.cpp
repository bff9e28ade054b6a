#include "cluster/link.hpp"

#include <algorithm>
#include <utility>

#include "cluster/peer_codec.hpp"

namespace parley {
namespace {

/// However much a burst has for the peer: what it has done so far is not to wait for all of it.
constexpr size_t k_early_batch_bytes_max = 256U << 10;

}  // namespace

Link::~Link() {
  std::vector<PeerWaiter*> waiters;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, pending] : pending_) waiters.push_back(pending.waiter);
    pending_.clear();
  }
  for (PeerWaiter* waiter : waiters) waiter->failed(PeerFailure::lost);
}

bool Link::full_for(const PeerRequest& request) {
  const Load& under_way = load(request.letter);
  const size_t bytes_max = request.letter ? limits_.letter_bytes_max : limits_.bytes_max;
  return under_way.requests >= limits_.requests_max ||
         (under_way.requests > 0 && under_way.bytes + request.body.size() > bytes_max);
}

void Link::ask(const PeerRequest& request, SteadyTime now, PeerWaiter* waiter) {
  const size_t bytes = request.body.size();
  PeerFailure failure{};
  {
    absl::MutexLock lock(&mutex_);
    const bool full = full_for(request);
    if (send_ && !full) {
      const uint64_t id = next_id_++;
      pending_.emplace(
          id, Pending{waiter, {now.micros + request.timeout_micros}, bytes, request.letter});
      Load& under_way = load(request.letter);
      ++under_way.requests;
      under_way.bytes += bytes;
      append_request(id, request, request.letter ? letters_ : batch());
      // Why under the lock: the connection may not close between the two.
      waiter = nullptr;
      send_batches_if_full();
    }
    failure = full ? PeerFailure::overloaded : PeerFailure::not_sent;
  }
  if (waiter != nullptr) return waiter->failed(failure);
  Burst::wake_at_end(*this);
}

Link::Session Link::open(Send send) {
  absl::ReleasableMutexLock lock(&mutex_);
  const Session before = session_;
  lock.Release();
  close(before);
  absl::MutexLock again(&mutex_);
  send_ = std::move(send);
  return ++session_;
}

void Link::close(Session session) {
  std::vector<std::pair<PeerWaiter*, PeerFailure>> failed;
  {
    absl::MutexLock lock(&mutex_);
    if (session != session_ || !send_) return;
    send_ = nullptr;
    for (const auto& [id, pending] : pending_) {
      failed.emplace_back(pending.waiter,
                          id < first_unsent_ ? PeerFailure::lost : PeerFailure::not_sent);
    }
    pending_.clear();
    call_load_ = letter_load_ = {};
    outgoing_.clear();
    letters_.clear();
    first_unsent_ = next_id_;
  }
  for (const auto& [waiter, why] : failed) waiter->failed(why);
}

Link::Session Link::session() const {
  absl::MutexLock lock(&mutex_);
  return send_ ? session_ : 0;
}

bool Link::receive(Session session, const std::string& batch_bytes, PeerServer& server) {
  auto batch = parse_batch(batch_bytes);
  if (!batch) return false;
  std::vector<std::pair<PeerWaiter*, PeerAnswer>> answered;
  {
    absl::MutexLock lock(&mutex_);
    if (session != session_ || !send_) return true;
    for (auto& [id, answer] : batch->answers) {
      // Not there: it was told already that it took too long.
      if (PeerWaiter* waiter = release(id)) answered.emplace_back(waiter, std::move(answer));
    }
  }
  for (auto& [waiter, answer] : answered) waiter->answered(std::move(answer));
  for (auto& [id, request] : batch->requests) {
    server.serve(peer_, std::move(request),
                 [self = shared_from_this(), session, id = id](const PeerAnswer& answer) {
                   self->answer(session, id, answer);
                 });
  }
  return true;
}

void Link::answer(Session session, uint64_t id, const PeerAnswer& answer) {
  {
    absl::MutexLock lock(&mutex_);
    if (session != session_ || !send_) return;
    append_answer(id, answer, batch());
    send_batches_if_full();
  }
  Burst::wake_at_end(*this);
}

void Link::wake() {
  absl::MutexLock lock(&mutex_);
  full_at_ = limits_.batch_bytes;
  if (send_) send_batches();
}

void Link::send_batches_if_full() {
  if (outgoing_.size() + letters_.size() < full_at_) return;
  send_batches();
  full_at_ = std::min(2 * full_at_, std::max(limits_.batch_bytes, k_early_batch_bytes_max));
}

std::string& Link::batch() {
  // Why not all that the last one had: it may have been one piece of megabytes.
  if (outgoing_.empty()) outgoing_.reserve(std::min(last_batch_bytes_, 2 * limits_.batch_bytes));
  return outgoing_;
}

void Link::send_batches() {
  first_unsent_ = next_id_;
  if (!letters_.empty()) send_(std::exchange(letters_, {}), Content::letters);
  if (outgoing_.empty()) return;
  last_batch_bytes_ = outgoing_.size();
  send_(std::exchange(outgoing_, {}), Content::calls);
}

void Link::tick(SteadyTime now) {
  std::vector<PeerWaiter*> late;
  {
    absl::MutexLock lock(&mutex_);
    std::vector<uint64_t> ids;
    for (const auto& [id, pending] : pending_) {
      if (pending.deadline <= now) ids.push_back(id);
    }
    for (const uint64_t id : ids) late.push_back(release(id));
  }
  for (PeerWaiter* waiter : late) waiter->failed(PeerFailure::timed_out);
}

PeerWaiter* Link::release(uint64_t id) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return nullptr;
  PeerWaiter* const waiter = found->second.waiter;
  Load& under_way = load(found->second.letter);
  --under_way.requests;
  under_way.bytes -= found->second.bytes;
  pending_.erase(found);
  return waiter;
}

}  // namespace parley
