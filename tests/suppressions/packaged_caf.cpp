// As packaged_sync.cpp, for CAF: its mailboxes and reference counts are lock-free inside the
// library, so that the thread sanitizer does not see what they order. A suppression would hide all
// that an actor does, for the library is on the stack whenever one runs.
#include <utility>

#include <caf/actor_control_block.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/scheduled_actor.hpp>
#include <sanitizer/tsan_interface.h>

#include "tests/suppressions/next.hpp"

namespace caf {

// What made an actor happens before its first step.
void scheduled_actor::launch(execution_unit* host, bool lazy, bool hide) {
  NEXT(void (*)(scheduled_actor*, execution_unit*, bool, bool),
       "_ZN3caf15scheduled_actor6launchEPNS_14execution_unitEbb");
  __tsan_release(this);
  next(this, host, lazy, hide);
}

bool scheduled_actor::activate(execution_unit* host) {
  NEXT(bool (*)(scheduled_actor*, execution_unit*),
       "_ZN3caf15scheduled_actor8activateEPNS_14execution_unitE");
  __tsan_acquire(this);
  const bool active = next(this, host);
  __tsan_release(this);
  return active;
}

// What happened before a message was sent happens before it is received, and one step of an actor
// before the next. Why after each: whoever sends the next message may run it at once.
void scheduled_actor::enqueue(mailbox_element_ptr message, execution_unit* host) {
  NEXT(void (*)(scheduled_actor*, mailbox_element_ptr, execution_unit*),
       "_ZN3caf15scheduled_actor7enqueueESt10unique_ptrINS_15mailbox_elementENS_6detail8disposerEE"
       "PNS_14execution_unitE");
  __tsan_release(message.get());
  next(this, std::move(message), host);
}

scheduled_actor::activation_result scheduled_actor::reactivate(mailbox_element& message) {
  NEXT(activation_result(*)(scheduled_actor*, mailbox_element&),
       "_ZN3caf15scheduled_actor10reactivateERNS_15mailbox_elementE");
  __tsan_acquire(&message);
  const activation_result result = next(this, message);
  __tsan_release(this);
  return result;
}

// Here rather than passed on: the sanitizer knows what our own atomic operations order.
void intrusive_ptr_release(actor_control_block* block) {
  if (block->strong_refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  block->data_dtor(block->get());
  intrusive_ptr_release_weak(block);
}

void intrusive_ptr_release_weak(actor_control_block* block) {
  if (block->weak_refs.fetch_sub(1, std::memory_order_acq_rel) == 1) block->block_dtor(block);
}

}  // namespace caf
