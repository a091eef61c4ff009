// ask with an Asio completion token, for code that runs on an io_context.
#pragma once

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <asio.hpp>
#include <troupe/runtime/actor.hpp>

namespace troupe::asio {

namespace detail {

struct Answered {};

/// Completes an Asio handler, once, on its executor; if nothing else does, with `aborted`.
template <class Handler, class R>
class Completion {
 public:
  explicit Completion(Handler handler)
      : work_(::asio::make_work_guard(handler)), handler_(std::move(handler)) {}
  Completion(Completion&& other) noexcept
      : work_(std::move(other.work_)), handler_(std::exchange(other.handler_, std::nullopt)) {}
  Completion& operator=(Completion&&) = delete;
  ~Completion() {
    if (handler_) {
      complete(Unexpected{
          AskError{AskErrorKind::system_stopped, "the ask was cancelled, or its System ended"}});
    }
  }
  [[nodiscard]] Handler& handler() noexcept { return *handler_; }
  void complete(Result<R, AskError> result) {
    auto call = [handler = std::move(*handler_), result = std::move(result)]() mutable {
      auto slot = ::asio::get_associated_cancellation_slot(handler);
      if (slot.is_connected()) slot.clear();
      invoke(handler, std::move(result));
    };
    handler_.reset();
    ::asio::post(work_.get_executor(), std::move(call));
    work_.reset();
  }

 private:
  static void invoke(Handler& handler, Result<R, AskError> result) {
    std::exception_ptr error;
    if (!result) {
      try {
        throw_ask_error(result.error());
      } catch (...) {  // AskFailed, for the handler
        error = std::current_exception();
      }
    }
    if constexpr (std::is_void_v<R>) {
      std::move(handler)(error);
    } else {
      std::move(handler)(error, result ? std::move(*result) : R{});
    }
  }
  ::asio::executor_work_guard<::asio::associated_executor_t<Handler>> work_;
  std::optional<Handler> handler_;
};

/// Asks once, hands the answer on, and ends.
template <class M, class To, class Done>
class Bridge final : public Actor<Private<Answered>> {
 public:
  Bridge(const To& to, M&& m, std::chrono::nanoseconds timeout, Done&& done)
      : to_(to), message_(std::move(m)), timeout_(timeout), done_(std::move(done)) {}
  void on_start() override {
    pipe_to_self(to_.ask(std::move(message_), timeout_),
                 [done = std::move(done_)](auto result) mutable {
                   done.complete(std::move(result));
                   return Answered{};
                 });
  }
  void receive(const Answered&) { stop(); }

 private:
  To to_;
  M message_;
  std::chrono::nanoseconds timeout_;
  Done done_;
};

/// Whom a cancellation ends: known a moment after it may come.
class Cancelling {
 public:
  void begun(const troupe::detail::Address& asker) {
    std::lock_guard guard(lock_);
    asker_ = asker;
    if (is_cancelled_) troupe::detail::kill_actor(asker);
  }
  void cancel() {
    std::lock_guard guard(lock_);
    is_cancelled_ = true;
    if (asker_) troupe::detail::kill_actor(*asker_);
  }

 private:
  std::mutex lock_;
  std::optional<troupe::detail::Address> asker_;
  bool is_cancelled_ = false;
};

struct StartAsk {
  template <class Handler, class M, class... Ps>
  void operator()(Handler handler, Ref<Ps...> to, M m, std::chrono::nanoseconds timeout) const {
    using Done = Completion<Handler, ReplyOf<M>>;
    using Asker = Bridge<M, Ref<Ps...>, Done>;
    Done done{std::move(handler)};
    std::shared_ptr<Cancelling> cancelling;
    // Before the ask begins: its handler, perhaps on another thread, clears the slot.
    if (auto slot = ::asio::get_associated_cancellation_slot(done.handler()); slot.is_connected()) {
      cancelling = std::make_shared<Cancelling>();
      slot.assign([cancelling](::asio::cancellation_type) { cancelling->cancel(); });
    }
    try {
      troupe::detail::with_system_of(to.address(), [&](troupe::detail::SystemCore& core) {
        const troupe::detail::Address asker = troupe::detail::spawn_in<Asker>(
            nullptr, &core, nullptr, {}, to, std::move(m), timeout, std::move(done));
        if (cancelling != nullptr) cancelling->begun(asker);
      });
    } catch (const UsageError&) {  // the System is shutting down: `done` completes the handler
    }
  }
};

}  // namespace detail

/// Sends m, and completes the token's handler on its own executor when the answer is there:
/// signature `void(std::exception_ptr, R)`, or `void(std::exception_ptr)` for a Reply of void; the
/// exception is an AskFailed. `R` is default-constructible. With `asio::use_awaitable`:
/// `std::int64_t cents = co_await troupe::asio::ask(account, GetBalance{}, 1s, use_awaitable);`.
/// Asio's cancellation drops the ask, and completes it with `system_stopped`. Any thread.
template <class... Ps, class M, class Token,
          class Why = decltype(troupe::detail::why_not_ask<M, Ps...>())>
requires troupe::detail::fine<Why>
auto ask(const Ref<Ps...>& to, M m, std::chrono::nanoseconds timeout, Token&& token) {
  using R = ReplyOf<M>;
  if constexpr (std::is_void_v<R>) {
    return ::asio::async_initiate<Token, void(std::exception_ptr)>(detail::StartAsk{}, token, to,
                                                                   std::move(m), timeout);
  } else {
    return ::asio::async_initiate<Token, void(std::exception_ptr, R)>(detail::StartAsk{}, token, to,
                                                                      std::move(m), timeout);
  }
}
template <class... Ps, class M, class Token,
          class Why = decltype(troupe::detail::why_not_ask<M, Ps...>())>
requires(!troupe::detail::fine<Why>) auto ask(const Ref<Ps...>& to, M m,
                                              std::chrono::nanoseconds timeout,
                                              Token&& token) = delete;  // `Why` says what is wrong

}  // namespace troupe::asio
