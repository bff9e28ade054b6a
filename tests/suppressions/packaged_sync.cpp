// Linked into every program of the thread sanitizer's build, and into no other. The packaged
// libraries are not built with that sanitizer: what they do themselves it is told to overlook
// (ignore_noninstrumented_modules), but it does not see either that a lock of absl or a completion
// queue of gRPC orders what our threads do, and each use of them would be a false report. These
// functions take the place of theirs, say what they order, and pass the call on. Unlike a
// suppression this hides no race of ours.
#include <memory>

#include "absl/synchronization/mutex.h"
#include <grpc/grpc.h>
#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>
#include <sanitizer/tsan_interface.h>

#include "tests/suppressions/next.hpp"

// In libtsan, but declared in no header of gcc 12.
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  NEXT(void (*)(Mutex*), "_ZN4absl7debian35Mutex4LockEv");
  next(this);
  __tsan_acquire(this);
}

void Mutex::Unlock() {
  NEXT(void (*)(Mutex*), "_ZN4absl7debian35Mutex6UnlockEv");
  __tsan_release(this);
  next(this);
}

void Mutex::Await(const Condition& condition) {
  NEXT(void (*)(Mutex*, const Condition*), "_ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE");
  __tsan_release(this);
  next(this, &condition);
  __tsan_acquire(this);
}

// Why ignored: another thread's Unlock evaluates it too, under the lock but after its
// __tsan_release.
bool Condition::Eval() const {
  NEXT(bool (*)(const Condition*), "_ZNK4absl7debian39Condition4EvalEv");
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  const bool holds = next(this);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  return holds;
}

ABSL_NAMESPACE_END
}  // namespace absl

// What happened before an operation was begun happens before its tag comes out of a queue.
extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag,
                                      void* reserved) {
  NEXT(decltype(&grpc_call_start_batch), "grpc_call_start_batch");
  __tsan_release(tag);
  return next(call, ops, count, tag, reserved);
}

grpc_call_error grpc_server_request_registered_call(grpc_server* server, void* method,
                                                    grpc_call** call, gpr_timespec* deadline,
                                                    grpc_metadata_array* metadata,
                                                    grpc_byte_buffer** payload,
                                                    grpc_completion_queue* bound_to,
                                                    grpc_completion_queue* notified, void* tag) {
  NEXT(decltype(&grpc_server_request_registered_call), "grpc_server_request_registered_call");
  __tsan_release(tag);
  return next(server, method, call, deadline, metadata, payload, bound_to, notified, tag);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline,
                                      void* reserved) {
  NEXT(decltype(&grpc_completion_queue_next), "grpc_completion_queue_next");
  const grpc_event event = next(queue, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag,
                                       gpr_timespec deadline, void* reserved) {
  NEXT(decltype(&grpc_completion_queue_pluck), "grpc_completion_queue_pluck");
  const grpc_event event = next(queue, tag, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

// Bytes that we hand over are let go of by whichever thread of gRPC's is the last to need them.
grpc_slice grpc_slice_new_with_user_data(void* bytes, size_t size, void (*destroy)(void*),
                                         void* owner) {
  NEXT(decltype(&grpc_slice_new_with_user_data), "grpc_slice_new_with_user_data");
  struct Kept {
    void (*destroy)(void*);
    void* owner;
  };
  auto* kept = new Kept{destroy, owner};
  const auto let_go = [](void* unneeded) {
    __tsan_acquire(unneeded);
    const std::unique_ptr<Kept> gone(static_cast<Kept*>(unneeded));
    gone->destroy(gone->owner);
  };
  __tsan_release(kept);
  return next(bytes, size, let_go, kept);
}

}  // extern "C"

namespace grpc {

// The tag of an alarm is not that of an operation: gRPC keeps it and gives it to the caller of
// Next.
void Alarm::SetInternal(CompletionQueue* queue, gpr_timespec deadline, void* tag) {
  NEXT(void (*)(Alarm*, CompletionQueue*, gpr_timespec, void*),
       "_ZN4grpc5Alarm11SetInternalEPNS_15CompletionQueueE12gpr_timespecPv");
  __tsan_release(tag);
  next(this, queue, deadline, tag);
}

CompletionQueue::NextStatus CompletionQueue::AsyncNextInternal(void** tag, bool* ok,
                                                               gpr_timespec deadline) {
  NEXT(NextStatus(*)(CompletionQueue*, void**, bool*, gpr_timespec),
       "_ZN4grpc15CompletionQueue17AsyncNextInternalEPPvPb12gpr_timespec");
  const NextStatus status = next(this, tag, ok, deadline);
  if (status == GOT_EVENT) __tsan_acquire(*tag);
  return status;
}

}  // namespace grpc
