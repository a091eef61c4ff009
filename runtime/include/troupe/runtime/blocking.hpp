// blocking(f): a call that may block its thread, made by an actor.
#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include <troupe/runtime/ask.hpp>
#include <troupe/runtime/task.hpp>

namespace troupe {

namespace detail {

/// `stop`: told when the actor is killed meanwhile; may be null.
void run_blocking(void* call, void (*run)(void*), std::stop_source* stop);
/// What the blocking pool keeps about a call.
struct BlockingMemory {
  alignas(8) std::byte job[64];
};
/// Begins a call for the running task; the answer comes when it has returned. Throws as check_task.
RequestPort begin_blocking(BlockingMemory& memory, void* call, void (*run)(void*));

/// A function, with a stop token if it takes one, and what came of it.
template <class F>
class CallOf {
  static constexpr bool wants_token = std::is_invocable_v<F&, std::stop_token>;
  static decltype(auto) call(F& f, [[maybe_unused]] const std::stop_source& stop) {
    if constexpr (wants_token) {
      return f(stop.get_token());
    } else {
      return f();
    }
  }

 public:
  using Result = decltype(call(std::declval<F&>(), std::declval<const std::stop_source&>()));

  explicit CallOf(F& f) : function_(f) {
    if constexpr (wants_token) stop_ = std::stop_source{};
  }
  static void run(void* call_of) {
    auto& c = *static_cast<CallOf*>(call_of);
    try {
      if constexpr (std::is_void_v<Result>) {
        call(c.function_, c.stop_);
      } else {
        c.result_.emplace(call(c.function_, c.stop_));
      }
    } catch (...) {  // carried to the waiting actor and thrown there
      c.error_ = std::current_exception();
    }
  }
  [[nodiscard]] std::stop_source* stop() noexcept { return wants_token ? &stop_ : nullptr; }
  Result take() {
    if (error_) std::rethrow_exception(error_);
    if constexpr (!std::is_void_v<Result>) return std::move(*result_);
  }

 private:
  F& function_;
  std::stop_source stop_{std::nostopstate};
  std::exception_ptr error_;
  std::conditional_t<std::is_void_v<Result>, char, std::optional<Result>> result_{};
};

template <class F>
class BlockingAwaiter {
 public:
  explicit BlockingAwaiter(F&& f) : function_(std::move(f)) {}
  BlockingAwaiter(const BlockingAwaiter&) = delete;
  BlockingAwaiter& operator=(const BlockingAwaiter&) = delete;
  ~BlockingAwaiter() {
    if (done_.slot != nullptr) release_slot(done_);
  }
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> task) {
    done_ = begin_blocking(memory_, &call_, &CallOf<F>::run);
    return suspend_lending_task(wait_, done_, task, call_.stop());
  }
  auto await_resume() {
    resumed_task();
    return call_.take();
  }

 private:
  F function_;
  CallOf<F> call_{function_};
  BlockingMemory memory_{};
  RequestPort done_;
  TaskWait wait_{};
};

}  // namespace detail

/// Runs f on the blocking pool while the actor waits (where it is reentrant, other messages go on),
/// and returns what it returns; what f throws is thrown here. f may use `this` and locals: even
/// kill waits for it. Outside an actor f runs in place. Throws Cancelled after f when the actor was
/// killed meanwhile; `f(std::stop_token)` hears of that. Throws UsageError in an actor's
/// constructor and in a matcher.
template <class F>
auto blocking(F&& f) {
  detail::CallOf<std::remove_reference_t<F>> call{f};
  detail::run_blocking(&call, &decltype(call)::run, call.stop());
  return call.take();
}
/// `co_await blocking_task(f)`: the same in a Task, which keeps no stack meanwhile. Throws
/// Cancelled, what f throws, and UsageError outside of a Task.
template <class F>
auto blocking_task(F f) {
  return detail::BlockingAwaiter<F>{std::move(f)};
}

}  // namespace troupe
