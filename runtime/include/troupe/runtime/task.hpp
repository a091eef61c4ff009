// Task<R>: a handler as a C++20 coroutine. It keeps no stack while it waits.
#pragma once

#include <array>
#include <coroutine>
#include <exception>
#include <optional>
#include <stop_token>
#include <tuple>
#include <vector>

#include <troupe/runtime/ask.hpp>

namespace troupe {

namespace detail {

/// Where a suspended task waits. Lives in the coroutine's frame.
struct TaskWait {
  /// What the runtime keeps about it (struct Frame).
  alignas(8) std::byte frame[80];
};
/// The ask is over: nothing to wait for.
bool is_over(const RequestPort& ask) noexcept;
/// Suspends the running task until the ask is over. False: it was over already.
bool suspend_task(TaskWait& wait, const RequestPort& ask, std::coroutine_handle<> task);
/// The same for a wait for others that use the task's memory: it is over when they are done.
bool suspend_lending_task(TaskWait& wait, const RequestPort& done, std::coroutine_handle<> task,
                          std::stop_source* stop);
/// Throws Cancelled where the actor of the running task is ending, UsageError where none runs.
void check_task();
/// The task goes on. Throws Cancelled when its actor is ending.
void resumed_task();

/// `Held`: the ask itself, or a reference to one that has a name.
template <class R, class Held = Ask<R>>
struct AskAwaiter {
  Held ask;
  TaskWait wait{};
  bool await_ready() const noexcept { return is_over(ask.port()); }
  bool await_suspend(std::coroutine_handle<> task) { return suspend_task(wait, ask.port(), task); }
  R await_resume() {
    resumed_task();
    return ask.await();  // it is over: this does not wait
  }
};
template <class R>
struct ResultAwaiter : AskAwaiter<R> {
  Result<R, AskError> await_resume() {
    resumed_task();
    return this->ask.try_await();
  }
};

/// Until one of them is over.
template <std::size_t N>
class AnyAwaiter {
 public:
  explicit AnyAwaiter(const std::array<RequestPort, N>& asks) noexcept : asks_(asks) {}
  AnyAwaiter(const AnyAwaiter&) = delete;
  AnyAwaiter& operator=(const AnyAwaiter&) = delete;
  ~AnyAwaiter() {
    if (any_.slot != nullptr) close_any(asks_.data(), N, any_);
  }
  bool await_ready() const noexcept { return first() < N; }
  bool await_suspend(std::coroutine_handle<> task) {
    check_task();
    any_ = open_any(asks_.data(), N);
    return first() == N && suspend_task(wait_, any_, task);
  }
  std::size_t await_resume() {
    resumed_task();
    return first();
  }

 private:
  [[nodiscard]] std::size_t first() const noexcept { return first_over(asks_.data(), N); }
  std::array<RequestPort, N> asks_;
  RequestPort any_;
  TaskWait wait_{};
};
/// Until the ask is over, whatever came of it.
struct OverAwaiter {
  RequestPort ask;
  TaskWait wait{};
  bool await_ready() const noexcept { return is_over(ask); }
  bool await_suspend(std::coroutine_handle<> task) { return suspend_task(wait, ask, task); }
  void await_resume() { resumed_task(); }
};

struct TaskPromiseBase {
  std::coroutine_handle<> continuation;
  std::exception_ptr error;

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct Final {
    bool await_ready() noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> done) noexcept {
      const auto next = done.promise().continuation;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  Final final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { error = std::current_exception(); }
};
template <class R>
struct TaskPromise : TaskPromiseBase {
  std::optional<R> value;
  template <class V>
  void return_value(V&& v) {
    value.emplace(std::forward<V>(v));
  }
  R take() {
    if (error) std::rethrow_exception(error);
    return std::move(*value);
  }
};
template <>
struct TaskPromise<void> : TaskPromiseBase {
  void return_void() noexcept {}
  void take() const {
    if (error) std::rethrow_exception(error);
  }
};

}  // namespace detail

/// What a coroutine handler returns: `troupe::Task<Quote> receive(GetQuote)`. In it `co_await`
/// takes an Ask (its value, or AskFailed thrown), `as_result(ask)` (a Result), `any_of`, `all_of`,
/// `blocking_task(f)`, and another Task. Any other wait suspends it as a fiber does, on a stack.
/// While it waits the actor takes commands only, or whatever its `turns` say. The message it was
/// given stays valid until it ends. When its actor ends, it is resumed with Cancelled. Thread
/// safety: on its actor.
template <class R>
class [[nodiscard("a Task does nothing until it is awaited or returned by a handler")]] Task {
 public:
  struct promise_type : detail::TaskPromise<R> {  // NOLINT: named by the language
    Task get_return_object() noexcept {
      return Task{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
  };

  Task(Task && other) noexcept : coroutine_(std::exchange(other.coroutine_, {})) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(coroutine_, other.coroutine_);
    return *this;
  }
  ~Task() {
    if (coroutine_) coroutine_.destroy();
  }

  /// For `co_await` in another task: runs this one, and goes on when it has ended.
  auto operator co_await()&& noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> task;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> outer) noexcept {
        task.promise().continuation = outer;
        return task;
      }
      R await_resume() { return task.promise().take(); }
    };
    return Awaiter{coroutine_};
  }

  /// For the runtime: gives up the coroutine, which has not begun.
  std::coroutine_handle<promise_type> release() noexcept {
    return std::exchange(coroutine_, {});
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_(coroutine) {}
  std::coroutine_handle<promise_type> coroutine_;
};

/// `co_await ask`: the value, or AskFailed. Give the ask a name first when its message owns memory:
/// g++ 12 destroys an aggregate made inside a co_await expression twice (docs/decisions/0004).
template <class R>
auto operator co_await(Ask<R>&& ask) noexcept {
  return detail::AskAwaiter<R>{std::move(ask)};
}
template <class R>
auto operator co_await(Ask<R>& ask) noexcept {
  return detail::AskAwaiter<R, Ask<R>&>{ask};
}
/// `co_await as_result(ask)`: a Result, and no exception.
template <class R>
auto as_result(Ask<R> ask) noexcept {
  return detail::ResultAwaiter<R>{{std::move(ask)}};
}

/// `co_await any_of(a, b)`: the index of the first that is over, as await_any. The asks must
/// outlive it. Throws Cancelled when the actor is ending, UsageError outside of a Task.
template <class... Rs>
requires(sizeof...(Rs) > 0) auto any_of(const Ask<Rs>&... asks) noexcept {
  return detail::AnyAwaiter<sizeof...(Rs)>{{asks.port()...}};
}
/// `co_await all_of(std::move(a), std::move(b))`: every Result, as try_await_all. Throws as any_of.
template <class... Rs>
Task<std::tuple<Result<Rs, AskError>...>> all_of(Ask<Rs>... asks) {
  const detail::RequestPort ports[] = {asks.port()...};
  for (const detail::RequestPort& port : ports) co_await detail::OverAwaiter{port};
  co_return std::tuple<Result<Rs, AskError>...>{asks.try_await()...};  // over: this does not wait
}
template <class R>
Task<std::vector<Result<R, AskError>>> all_of(std::vector<Ask<R>> asks) {
  for (const Ask<R>& ask : asks) co_await detail::OverAwaiter{ask.port()};
  co_return try_await_all(std::move(asks));
}

namespace detail {

template <class R>
inline constexpr bool is_task = false;
template <class R>
inline constexpr bool is_task<Task<R>> = true;

/// Ends a task that has run to its end: its answer, or what it threw.
template <class M, class R>
void finish_task(Turn& turn, void* coroutine) {
  using Handle = std::coroutine_handle<typename Task<R>::promise_type>;
  struct Destroy {
    Handle handle;
    ~Destroy() { handle.destroy(); }
  } task{Handle::from_address(coroutine)};
  if constexpr (std::is_void_v<R>) {
    task.handle.promise().take();
    answer_done(turn.take_port());
  } else {
    R value = task.handle.promise().take();  // may throw: the duty to answer is taken after
    answer<R>(turn.take_port(), std::move(value));
  }
}

}  // namespace detail
}  // namespace troupe
