// Ask<R>: the answer that is on its way. ReplyTo<R>: the duty to give one.
#pragma once

#include <memory>
#include <tuple>
#include <vector>

#include <troupe/runtime/detail/envelope.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/fwd.hpp>
#include <troupe/runtime/result.hpp>

namespace troupe {

/// Wait for ever.
inline constexpr std::chrono::nanoseconds no_timeout = std::chrono::nanoseconds::max();
/// Wait as long as the System's option `ask_timeout` says (5 s). No timeout fires early; where an
/// actor asks often, one of a second or more may be late by 3 %.
inline constexpr std::chrono::nanoseconds default_timeout = std::chrono::nanoseconds::min();

namespace detail {

/// Waits until the ask is over: answered, failed, timed out or cancelled. Inside an actor it
/// suspends the actor, elsewhere it blocks the thread or drives the test executor. Throws
/// Cancelled; UsageError where waiting would deadlock.
void await_slot(const RequestPort& ask);
/// The index of the first that is over, as soon as there is one.
std::size_t await_any_slot(const RequestPort* asks, std::size_t count);
// The same in parts, for who can't stand still: an ask that is over as soon as one of those is,
// until close_any; and the first that is over, or `count`.
RequestPort open_any(const RequestPort* asks, std::size_t count);
void close_any(const RequestPort* asks, std::size_t count, const RequestPort& any) noexcept;
std::size_t first_over(const RequestPort* asks, std::size_t count) noexcept;
/// The storage of the answer, or null when the ask failed. Only after await_slot.
void* slot_value(const RequestPort& ask) noexcept;
AskError slot_error(const RequestPort& ask);
/// Frees the slot and an answer nobody took, or cancels the ask if it is still open.
void release_slot(const RequestPort& ask) noexcept;

/// Wins the right to answer; returns where the answer goes, or null when it is too late (counted).
void* begin_reply(const RequestPort& port) noexcept;
void finish_reply(const RequestPort& port) noexcept;
void fail_reply(const RequestPort& port, AskErrorKind kind, std::string_view what) noexcept;
/// What an answer that never came is called: the holder ended, or it let go of the duty.
void drop_reply(const RequestPort& port) noexcept;
AskError why_reply_was_dropped();
/// The duty to answer may go anywhere from here on: who waits for that answer is no part of a ring
/// that leads through the actor that was asked (S138).
[[nodiscard]] RequestPort kept(const RequestPort& port) noexcept;

/// An ask slot with nothing sent yet. `callee`: whose end of it is meant; needed outside of actors.
RequestPort open_slot(const Address& callee, std::chrono::nanoseconds timeout,
                      void (*destroy)(void* answer) noexcept);

/// False: it is too late, or nobody waits.
template <class R>
bool answer(const RequestPort& port, R&& value) {
  using D = std::remove_cvref_t<R>;
  if (port.slot == nullptr) return false;
  if constexpr (reply_is_inline<D>) {
    void* const where = begin_reply(port);
    if (where == nullptr) return false;
    ::new (where) D(std::forward<R>(value));
  } else {
    auto big = std::make_unique<D>(std::forward<R>(value));
    void* const where = begin_reply(port);
    if (where == nullptr) return false;
    *static_cast<D**>(where) = big.release();
  }
  finish_reply(port);
  return true;
}
inline void answer_done(const RequestPort& port) noexcept {
  if (port.slot != nullptr && begin_reply(port) != nullptr) finish_reply(port);
}

}  // namespace detail

/// An answer on its way. Dropping it cancels the ask: the answer, if one comes, is counted and
/// thrown away. Thread safety: one thread at a time, and only the actor (or thread) that asked may
/// wait for it.
template <class R>
class [[nodiscard("a dropped Ask is cancelled at once; await it, or tell instead")]] Ask {
 public:
  using Reply = R;

  explicit Ask(detail::RequestPort port) noexcept : port_(port) {}
  Ask(Ask && other) noexcept : port_(std::exchange(other.port_, {})) {}
  Ask& operator=(Ask&& other) noexcept {
    std::swap(port_, other.port_);
    return *this;
  }
  ~Ask() {
    if (port_.slot != nullptr) detail::release_slot(port_);
  }

  /// Waits for the answer and returns it. Throws AskFailed (by kind: AskTimeout, ReceiverDown,
  /// Refused, ...), Cancelled when the waiting actor is killed, and UsageError on a thread of ours
  /// that runs no actor.
  R await() {
    detail::await_slot(port_);
    void* value = detail::slot_value(port_);
    if (value == nullptr) throw_ask_error(detail::slot_error(port_));
    if constexpr (!std::is_void_v<R>) return std::move(detail::stored_reply<R>(value));
  }

  /// Waits for the answer or the reason why there is none. Throws Cancelled and UsageError as await
  /// does.
  Result<R, AskError> try_await() {
    detail::await_slot(port_);
    void* value = detail::slot_value(port_);
    if (value == nullptr) return Unexpected{detail::slot_error(port_)};
    if constexpr (std::is_void_v<R>) {
      return {};
    } else {
      return std::move(detail::stored_reply<R>(value));
    }
  }

  /// For the runtime: gives up the handle.
  detail::RequestPort release() noexcept {
    return std::exchange(port_, {});
  }
  /// For the runtime.
  [[nodiscard]] const detail::RequestPort& port() const noexcept {
    return port_;
  }

 private:
  detail::RequestPort port_;
};

/// Waits until at least one of the asks is over, and returns the index of the first that is. All of
/// them stay: await that one (which waits no more), and the others later, or drop them.
/// Throws Cancelled and UsageError as Ask::await does.
template <class... Rs>
requires(sizeof...(Rs) > 0) std::size_t await_any(const Ask<Rs>&... asks) {
  const detail::RequestPort ports[] = {asks.port()...};
  return detail::await_any_slot(ports, sizeof...(Rs));
}
template <class R>
std::size_t await_any(const std::vector<Ask<R>>& asks) {
  std::vector<detail::RequestPort> ports;
  for (const Ask<R>& ask : asks) ports.push_back(ask.port());
  return detail::await_any_slot(ports.data(), ports.size());
}

/// Waits for every result of several asks; none is lost when another fails.
/// Throws Cancelled and UsageError as Ask::await does.
template <class... Rs>
std::tuple<Result<Rs, AskError>...> try_await_all(Ask<Rs>... asks) {
  return std::tuple<Result<Rs, AskError>...>{asks.try_await()...};
}

/// Waits for several asks; after all have ended, the values, or the first error as AskFailed.
template <class... Rs>
requires(!std::is_void_v<Rs> && ...) std::tuple<Rs...> await_all(Ask<Rs>... asks) {
  auto results = try_await_all(std::move(asks)...);
  return std::apply(
      [](auto&... result) {
        const auto check = [](auto& r) {
          if (!r) throw_ask_error(r.error());
        };
        (check(result), ...);
        return std::tuple<Rs...>{std::move(*result)...};
      },
      results);
}

/// The same for any number of asks of one kind.
template <class R>
std::vector<Result<R, AskError>> try_await_all(std::vector<Ask<R>> asks) {
  std::vector<Result<R, AskError>> results;
  results.reserve(asks.size());
  for (Ask<R>& ask : asks) results.push_back(ask.try_await());
  return results;
}
template <class R>
requires(!std::is_void_v<R>) std::vector<R> await_all(std::vector<Ask<R>> asks) {
  auto results = try_await_all(std::move(asks));
  std::vector<R> values;
  values.reserve(results.size());
  for (auto& result : results) {
    if (!result) throw_ask_error(result.error());
    values.push_back(std::move(*result));
  }
  return values;
}
inline void await_all(std::vector<Ask<void>> asks) {
  for (const auto& result : try_await_all(std::move(asks))) {
    if (!result) throw_ask_error(result.error());
  }
}

/// The duty to answer one request, kept for later. Dropped unanswered it fails the ask with
/// `no_reply`
/// (`receiver_down` when its actor ends). A second answer is ignored and counted.
/// Thread safety: any thread, one at a time.
template <class R>
class ReplyTo {
 public:
  explicit ReplyTo(detail::RequestPort port) noexcept : port_(port) {}
  ReplyTo(ReplyTo&& other) noexcept : port_(std::exchange(other.port_, {})) {}
  ReplyTo& operator=(ReplyTo&& other) noexcept {
    std::swap(port_, other.port_);
    return *this;
  }
  ~ReplyTo() {
    if (port_.slot != nullptr) detail::drop_reply(port_);
  }

  /// Answers. Does nothing when the asker gave up, or was answered already.
  template <class V = R>
  requires(!std::is_void_v<R> && std::is_convertible_v<V&&, R>) void operator()(V&& value) {
    detail::answer<R>(std::exchange(port_, {}), R(std::forward<V>(value)));
  }
  void operator()() requires std::is_void_v<R> { detail::answer_done(std::exchange(port_, {})); }
  /// Turns the request down: the asker gets `refused` with this text.
  void refuse(std::string_view why) {
    const auto port = std::exchange(port_, {});
    if (port.slot != nullptr) detail::fail_reply(port, AskErrorKind::refused, why);
  }
  /// For the runtime: gives up the duty.
  detail::RequestPort release() noexcept { return std::exchange(port_, {}); }

 private:
  detail::RequestPort port_;
};

/// What a handler returns that handed its request to somebody else (`return forward(ref,
/// message)`). Thread safety: a plain value.
template <class R>
class Forwarded {};

}  // namespace troupe
