#include "carrier.hpp"

#include <cxxabi.h>
#include <cerrno>
#include <cstdint>

#include <pthread.h>
#include <boost/context/detail/fcontext.hpp>

#if defined(__SANITIZE_ADDRESS__)
#define TROUPE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TROUPE_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define TROUPE_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TROUPE_TSAN 1
#endif

#if defined(TROUPE_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if defined(TROUPE_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace troupe::detail {

namespace ctx = boost::context::detail;

namespace {

// The Itanium ABI's per-thread record of exceptions in flight: it belongs to the frame, not to the
// thread.
struct EhGlobals {
  void* caught;
  unsigned uncaught;
};

/// Where a thread keeps them, and errno. Asked for once per thread: each question is a call.
struct ThreadState {
  EhGlobals* exceptions;
  int* error_number;
};
[[gnu::tls_model("initial-exec")]] constinit thread_local ThreadState thread_state{};

// Not inlined: a thread-local address must not be kept over a switch that changes the thread.
[[gnu::noinline]] const ThreadState& state_of_thread() noexcept {
  asm volatile("");
  if (thread_state.exceptions == nullptr) [[unlikely]]
    thread_state = {reinterpret_cast<EhGlobals*>(abi::__cxa_get_globals()), &errno};
  return thread_state;
}

/// How far below its top a stack begins: all stacks lie at the same places of their pages, and what
/// thousands of waiting handlers hold would share a few sets of the cache.
std::size_t shift_of(const Stack& stack) noexcept {
  constexpr std::size_t line_bytes = 64;
  constexpr std::size_t shifts = 32;  // half a page: what a short handler needs lies in the other
  const auto number = reinterpret_cast<std::uintptr_t>(stack.low) / stack.bytes;
  return number % shifts * line_bytes;
}

}  // namespace

struct Carrier::Switch {
  Carrier* from;
  Carrier* to;
  void (*then)(void*);
  void* argument;
  ThreadState thread;  ///< of the thread that switches, which is the one that arrives
};

struct Carrier::Entry {
  /// Runs on the carrier that was switched to. `s` lies on the stack of `from`: copied before
  /// anybody may resume it.
  static void arrive(ctx::transfer_t transfer) {
    const Switch s = *static_cast<Switch*>(transfer.data);
    s.from->context_ = transfer.fctx;
#if defined(TROUPE_ASAN)
    const void* low = nullptr;
    std::size_t bytes = 0;
    __sanitizer_finish_switch_fiber(s.to->asan_fake_stack_, &low, &bytes);
    if (s.from->stack_.low ==
        nullptr) {  // a thread's own stack: learnt from the first switch away from it
      s.from->asan_low_ = low;
      s.from->asan_bytes_ = bytes;
    }
#endif
    s.thread.exceptions->caught = s.to->exceptions_caught_;
    s.thread.exceptions->uncaught = s.to->exceptions_uncaught_;
    *s.thread.error_number = s.to->errno_;
    s.then(s.argument);
  }
  static void start(ctx::transfer_t transfer) {
    Carrier* self = static_cast<Switch*>(transfer.data)->to;
    arrive(transfer);
    self->main_();
    __builtin_unreachable();
  }
};

void Carrier::adopt_thread() noexcept {
#if defined(TROUPE_TSAN)
  tsan_fiber_ = __tsan_get_current_fiber();
#endif
}

Carrier::Carrier(Stack stack, Main main) : stack_(stack), main_(main) {
  const std::size_t shift = shift_of(stack);
  context_ = ctx::make_fcontext(static_cast<std::byte*>(stack.top()) - shift, stack.bytes - shift,
                                &Entry::start);
  asan_low_ = stack.low;
  asan_bytes_ = stack.bytes;
#if defined(TROUPE_ASAN)
  // A carrier is deleted where it waits: what it had marked around its variables still is.
  __asan_unpoison_memory_region(stack.low, stack.bytes);
#endif
#if defined(TROUPE_TSAN)
  tsan_fiber_ = __tsan_create_fiber(0);
#endif
}

void Carrier::tell_leak_checker([[maybe_unused]] Carrier* carrier) noexcept {
#if defined(TROUPE_ASAN)
  __lsan_ignore_object(carrier);
#endif
}

Carrier::~Carrier() {
#if defined(TROUPE_TSAN)
  if (stack_.low != nullptr) __tsan_destroy_fiber(tsan_fiber_);
#endif
}

void Carrier::switch_to(Carrier& from, Carrier& to, void (*then)(void*), void* argument) {
  Switch s{&from, &to, then, argument, state_of_thread()};
  from.exceptions_caught_ = s.thread.exceptions->caught;
  from.exceptions_uncaught_ = s.thread.exceptions->uncaught;
  from.errno_ = *s.thread.error_number;
#if defined(TROUPE_ASAN)
  __sanitizer_start_switch_fiber(&from.asan_fake_stack_, to.asan_low_, to.asan_bytes_);
#endif
#if defined(TROUPE_TSAN)
  __tsan_switch_to_fiber(to.tsan_fiber_, 0);
#endif
  Entry::arrive(ctx::jump_fcontext(to.context_, &s));
}

}  // namespace troupe::detail
