#include "tests/sim/shared/fiber.hpp"

#include <ucontext.h>
#include <utility>

#include "base/check.hpp"

// Sanitizers are told of each change of stacks; without them nobody has these.
extern "C" {
__attribute__((weak)) void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom,
                                                          size_t size);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom,
                                                           size_t* size);
__attribute__((weak)) void* __tsan_get_current_fiber();
__attribute__((weak)) void* __tsan_create_fiber(unsigned flags);
__attribute__((weak)) void __tsan_destroy_fiber(void* fiber);
__attribute__((weak)) void __tsan_switch_to_fiber(void* fiber, unsigned flags);
}

namespace parley::sim::shared {
namespace {

constexpr size_t k_stack_bytes = 256U << 10;

/// The one that begins: makecontext hands over no pointer.
thread_local Fiber* beginning = nullptr;

}  // namespace

struct Fiber::Contexts {
  std::unique_ptr<std::byte[]> stack{new std::byte[k_stack_bytes]};
  ucontext_t here{};
  ucontext_t caller{};
  // What sanitizers know of them.
  void* fake_here = nullptr;
  void* fake_caller = nullptr;
  const void* caller_bottom = nullptr;
  size_t caller_size = 0;
  void* tsan_here = nullptr;
  void* tsan_caller = nullptr;
};

Fiber::Fiber(std::function<void()> body)
    : body_(std::move(body)), contexts_(std::make_unique<Contexts>()) {
  getcontext(&contexts_->here);
  contexts_->here.uc_stack.ss_sp = contexts_->stack.get();
  contexts_->here.uc_stack.ss_size = k_stack_bytes;
  contexts_->here.uc_link = nullptr;
  makecontext(&contexts_->here, &Fiber::begin, 0);
  if (__tsan_create_fiber != nullptr) contexts_->tsan_here = __tsan_create_fiber(0);
}

Fiber::~Fiber() {
  PARLEY_CHECK(ended_);
  if (__tsan_destroy_fiber != nullptr) __tsan_destroy_fiber(contexts_->tsan_here);
}

void Fiber::begin() { std::exchange(beginning, nullptr)->run(); }

void Fiber::run() {
  Contexts& at = *contexts_;
  if (__sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(nullptr, &at.caller_bottom, &at.caller_size);
  }
  body_();
  ended_ = true;
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(nullptr, at.caller_bottom, at.caller_size);
  }
  if (__tsan_switch_to_fiber != nullptr) __tsan_switch_to_fiber(at.tsan_caller, 0);
  setcontext(&at.caller);
}

void Fiber::resume() {
  PARLEY_CHECK(!inside_ && !ended_);
  Contexts& at = *contexts_;
  beginning = this;
  inside_ = true;
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(&at.fake_caller, at.stack.get(), k_stack_bytes);
  }
  if (__tsan_switch_to_fiber != nullptr) {
    at.tsan_caller = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(at.tsan_here, 0);
  }
  swapcontext(&at.caller, &at.here);
  if (__sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(at.fake_caller, nullptr, nullptr);
  }
  inside_ = false;
}

void Fiber::stop_here() {
  PARLEY_CHECK(inside_);
  Contexts& at = *contexts_;
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(&at.fake_here, at.caller_bottom, at.caller_size);
  }
  if (__tsan_switch_to_fiber != nullptr) __tsan_switch_to_fiber(at.tsan_caller, 0);
  swapcontext(&at.here, &at.caller);
  if (__sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(at.fake_here, &at.caller_bottom, &at.caller_size);
  }
}

}  // namespace parley::sim::shared
