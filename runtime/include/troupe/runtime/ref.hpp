// Ref<Ps...>: the handle to send to. All that a sender's file needs.
#pragma once

#include <chrono>
#include <compare>
#include <functional>
#include <iosfwd>
#include <string>

#include <troupe/runtime/ask.hpp>
#include <troupe/runtime/protocol.hpp>

namespace troupe {

namespace detail {

template <class M>
inline constexpr bool movable_and_owned =
    std::is_object_v<M>&& std::is_move_constructible_v<M>&& std::is_destructible_v<M>;

template <class M, class... Ps>
consteval bool is_private_of_one() {
  const auto test = []<class P>(std::type_identity<P>) {
    if constexpr (requires { typename P::troupe_private_messages; }) {
      return contains<M, typename P::troupe_private_messages>;
    } else {
      return false;
    }
  };
  return (test(std::type_identity<Ps>{}) || ... || false);
}

/// Why a Ref<Ps...> may not be told a `Given` (which may be a reference); void when it may.
template <class Given, class... Ps>
consteval auto why_not_tell() {
  using M = std::remove_cvref_t<Given>;
  using Undefined = typename FirstUndefined<Ps...>::type;
  if constexpr (!std::is_void_v<Undefined>) {
    return static_cast<why::include_the_definition_of_this_incomplete_type<Undefined>*>(nullptr);
  } else if constexpr (!contains<M, PublicMessages<Ps...>>) {
    if constexpr (is_private_of_one<M, Ps...>()) {
      return static_cast<why::only_the_actor_itself_may_send_this_private_message<M>*>(nullptr);
    } else {
      return static_cast<why::the_actor_does_not_accept_this_message_add_it_to_its_list<M>*>(
          nullptr);
    }
  } else if constexpr (!movable_and_owned<M>) {
    return static_cast<why::a_message_must_be_movable_and_owned<M>*>(nullptr);
  } else if constexpr (alignof(M) > message_align_max) {
    return static_cast<why::align_a_message_to_64_bytes_at_most_or_point_to_it<M>*>(nullptr);
  } else if constexpr (!std::is_constructible_v<M, Given>) {
    return static_cast<why::the_message_is_not_copyable_so_move_it<M>*>(nullptr);
  }
}
template <class Given, class... Ps>
consteval auto why_not_ask() {
  using M = std::remove_cvref_t<Given>;
  using Tell = decltype(why_not_tell<Given, Ps...>());
  if constexpr (!std::is_void_v<Tell>) {
    return Tell{};
  } else if constexpr (!Request<M>) {
    return static_cast<why::the_message_has_no_Reply_so_tell_it_or_give_it_one<M>*>(nullptr);
  } else if constexpr (std::is_reference_v<ReplyOf<M>>) {
    return static_cast<why::a_Reply_cannot_be_a_reference<M>*>(nullptr);
  }
}

template <class Why>
inline constexpr bool fine = std::is_void_v<Why>;

RequestPort send_request(const Address& to, RequestEnvelope* e) noexcept;
Sent send_later(const Address& to, std::chrono::nanoseconds delay, Envelope* e);
std::string print(const Address& address);
/// For refs whose serials are the same, as those to actors of several nodes may be.
std::uint64_t order_of_nodes(const Address& address) noexcept;

template <class M>
RequestPort request(const Address& to, M&& m, std::chrono::nanoseconds timeout) {
  using D = std::remove_cvref_t<M>;
  EnvelopeGuard<RequestEnvelope> e{
      new_request(to, message_type<D>, timeout, reply_destroyer<ReplyOf<D>>())};
  ::new (payload(*e)) D(std::forward<M>(m));
  return send_request(to, e.release());
}

/// What all refs share, whatever they accept.
/// Thread safety: a plain value; sending is allowed on any thread.
class RefBase {
 public:
  constexpr RefBase() noexcept = default;
  constexpr explicit RefBase(Address address) noexcept : address_(address) {}

  /// Names an actor (which may have ended); false for a default-constructed ref.
  explicit operator bool() const noexcept { return address_.cell != nullptr; }
  /// For the runtime and its extensions.
  [[nodiscard]] constexpr const Address& address() const noexcept { return address_; }

  friend bool operator==(const RefBase& a, const RefBase& b) noexcept {
    return a.address_.cell == b.address_.cell && a.address_.generation == b.address_.generation;
  }
  /// By order of spawning, so that it is the same from run to run; of those of other nodes by the
  /// order in which their nodes first named them.
  friend std::strong_ordering operator<=>(const RefBase& a, const RefBase& b) noexcept {
    if (a.address_.serial != b.address_.serial || a.address_.cell == b.address_.cell) [[likely]]
      return a.address_.serial <=> b.address_.serial;
    return order_of_nodes(a.address_) <=> order_of_nodes(b.address_);
  }

 protected:
  Address address_;
};

}  // namespace detail

/// The answer to come to a message of type M.
template <class M>
using AskFor = Ask<std::remove_reference_t<ReplyOf<std::remove_cvref_t<M>>>>;

/// Sends to one actor. `Ps` are messages, protocols or actor classes; `Ref<>` names an actor and
/// accepts nothing. 16 trivially copyable bytes; keeps nothing alive; survives the actor's
/// restarts, not its termination. Sending to an empty or stale ref is a dead letter, and fails an
/// ask. Thread safety: a plain value; every operation is allowed on any thread.
template <class... Ps>
class Ref : public detail::RefBase {
 public:
  using RefBase::RefBase;

  /// Narrows: from any ref that accepts at least these messages.
  template <class... Qs>
  requires(!std::is_same_v<Ref<Qs...>, Ref<Ps...>> &&
           detail::covers_all<detail::PublicMessages<Ps...>, Qs...>) Ref(const Ref<Qs...>& other)
  noexcept : RefBase(other.address()) {}  // NOLINT: narrowing is meant to be implicit

  /// Sends m. Never waits, never throws on overflow; what is not `Sent::ok` is already counted and
  /// a dead letter. Throws only what copying or moving m throws.
  template <class M, class Why = decltype(detail::why_not_tell<M, Ps...>())>
  requires detail::fine<Why> Sent tell(M&& m)
  const {
    static_assert(detail::fine<decltype(detail::why_not_tell<M, Ps...>())>);
    return detail::send(address_, detail::envelop(std::forward<M>(m)));
  }
  template <class M, class Why = decltype(detail::why_not_tell<M, Ps...>())>
  requires(!detail::fine<Why>) Sent tell(M&& m)
  const = delete;  // `Why` says what is wrong

  /// Sends m ahead of all ordinary mail: handled right after the message under way, behind urgent
  /// messages that came before (S22).
  template <class M, class Why = decltype(detail::why_not_tell<M, Ps...>())>
  requires detail::fine<Why> Sent tell_urgent(M&& m)
  const { return detail::send_urgent(address_, detail::envelop(std::forward<M>(m))); }
  template <class M, class Why = decltype(detail::why_not_tell<M, Ps...>())>
  requires(!detail::fine<Why>) Sent tell_urgent(M&& m)
  const = delete;

  /// Sends m, and waits for room where the mailbox is bounded: `ref.send(m, 10s).await()`. Answered
  /// when m is in the mailbox; of an actor of another node, when it waits to be sent there and
  /// leaves room for some more. Fails with `receiver_down`, `timeout`, or `cycle` when the receiver
  /// waits for this actor; towards another node also with `no_connection`, `unknown_type` and
  /// `too_large`. m is a dead letter then.
  template <class M, class Why = decltype(detail::why_not_tell<M, Ps...>())>
  requires detail::fine<Why> Ask<void> send(
      M&& m, std::chrono::nanoseconds timeout = std::chrono::seconds(10))
  const {
    return Ask<void>{
        detail::send_when_room(address_, detail::envelop(std::forward<M>(m)), timeout)};
  }
  template <class M, class Why = decltype(detail::why_not_tell<M, Ps...>())>
  requires(!detail::fine<Why>) Ask<void> send(
      M&& m, std::chrono::nanoseconds timeout = std::chrono::seconds(10))
  const = delete;

  /// Sends m and returns the answer to come. A timeout means that the outcome is unknown.
  template <class M, class Why = decltype(detail::why_not_ask<M, Ps...>())>
  requires detail::fine<Why> AskFor<M> ask(M&& m,
                                           std::chrono::nanoseconds timeout = default_timeout)
  const {
    static_assert(detail::fine<decltype(detail::why_not_ask<M, Ps...>())>);
    return AskFor<M>{detail::request(address_, std::forward<M>(m), timeout)};
  }
  template <class M, class Why = decltype(detail::why_not_ask<M, Ps...>())>
  requires(!detail::fine<Why>) AskFor<M> ask(M&& m,
                                             std::chrono::nanoseconds timeout = default_timeout)
  const = delete;

  /// Sends m after `delay`, on the System's clock. Not cancelled by the sender's end.
  template <class M, class Why = decltype(detail::why_not_tell<M, Ps...>())>
  requires detail::fine<Why> Sent tell_after(std::chrono::nanoseconds delay, M&& m)
  const { return detail::send_later(address_, delay, detail::envelop(std::forward<M>(m))); }
  template <class M, class Why = decltype(detail::why_not_tell<M, Ps...>())>
  requires(!detail::fine<Why>) Sent tell_after(std::chrono::nanoseconds delay, M&& m)
  const = delete;

  /// The path of the actor ("/orders/processor-1"), or its serial when it has no name or is gone;
  /// of one of another node the node's address and its number. For logs.
  [[nodiscard]] std::string to_string() const { return detail::print(address_); }
};

template <class Stream, class... Ps>
auto& operator<<(Stream& out, const Ref<Ps...>& ref) {
  return out << ref.to_string();
}

}  // namespace troupe

template <class... Ps>
struct std::hash<troupe::Ref<Ps...>> {
  std::size_t operator()(const troupe::Ref<Ps...>& ref) const noexcept {
    return ref.address().serial * 0x9E3779B97F4A7C15ull;  // Fibonacci hashing (Knuth, TAOCP 3, 6.4)
  }
};
