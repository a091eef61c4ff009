// Carriers: the fibers that workers run on.
//
// Design. A worker thread runs its loop on a carrier. A handler that awaits leaves with that
// carrier's stack, suspended; the thread goes on with another carrier. When the handler may go on,
// whoever runs its cell switches to the suspended carrier, and its own becomes free: it is parked
// inside the loop, holds nothing, and goes on from there when it is needed. So a switch always
// leads either to a suspended handler or to a carrier that returns to its loop. With the registers
// go the state of exceptions in flight, errno, and what the sanitizers know of stacks.
#pragma once

#include <cstddef>

#include "stack_pool.hpp"

namespace troupe::detail {

/// One fiber, or the thread itself (without a stack of ours).
/// Thread safety: one thread at a time runs it; a suspended one may be resumed by any.
class Carrier {
 public:
  using Main = void (*)();

  /// A thread's own context: to come back to when there is nothing to run. adopt_thread() says
  /// which.
  Carrier() = default;
  /// A fiber that runs `main`, which must never return.
  Carrier(Stack stack, Main main);
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;
  ~Carrier();

  /// Leaves `from`, which must be the running carrier, for `to`. After `from` is saved,
  /// `then(argument)` runs on `to`: only then may others resume `from`. Returns when somebody
  /// switches to `from`.
  static void switch_to(Carrier& from, Carrier& to, void (*then)(void*), void* argument);

  /// A suspended carrier is known to its own stack only, where LeakSanitizer does not look.
  static void tell_leak_checker(Carrier* carrier) noexcept;
  /// This is the calling thread's own context from here on.
  void adopt_thread() noexcept;
  [[nodiscard]] const Stack& stack() const noexcept { return stack_; }
  Carrier* next_free = nullptr;

 private:
  struct Switch;
  struct Entry;

  void* context_ = nullptr;
  Stack stack_;
  Main main_ = nullptr;
  void* exceptions_caught_ = nullptr;
  unsigned exceptions_uncaught_ = 0;
  int errno_ = 0;
  [[maybe_unused]] void* tsan_fiber_ = nullptr;
  [[maybe_unused]] void* asan_fake_stack_ = nullptr;
  [[maybe_unused]] const void* asan_low_ = nullptr;
  [[maybe_unused]] std::size_t asan_bytes_ = 0;
};

}  // namespace troupe::detail
