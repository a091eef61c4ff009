// Finds the handler of each message in an actor's class, and says why there is none.
//
// A handler is found by passing the whole overload set `&T::receive` to a set of shapes: deduction
// picks the one member with exactly that parameter, without conversions and base classes (API.md
// 15).
#pragma once

#include <troupe/runtime/ask.hpp>
#include <troupe/runtime/detail/envelope.hpp>
#include <troupe/runtime/protocol.hpp>
#include <troupe/runtime/ref.hpp>
#include <troupe/runtime/task.hpp>

namespace troupe::detail {

using HandlerFunction = void (*)(void* actor, Envelope&, Turn&);
struct HandlerEntry {
  const MessageType* type;
  HandlerFunction function;
  bool is_reader;  ///< a const member function
};

template <class R>
inline constexpr bool is_forwarded = false;
template <class R>
inline constexpr bool is_forwarded<Forwarded<R>> = true;

template <class Pointer>
inline constexpr bool is_const_member = false;
template <class R, class C, class... As>
inline constexpr bool is_const_member<R (C::*)(As...) const> = true;

template <class Pointer, class R, bool IsDeferred>
struct Shape {
  Pointer pointer;
  static constexpr bool reads_only = is_const_member<Pointer>;
  static constexpr bool deferred = IsDeferred;
  using Result = R;
};
template <bool IsDeferred, class R, class Pointer>
constexpr Shape<Pointer, R, IsDeferred> shape(Pointer pointer) {
  return {pointer};
}

// One name per form of a handler: counting those that fit tells none, one, and several apart.
template <class M, class C, class R>
constexpr auto pick_by_reference(R (C::*f)(const M&)) {
  return shape<false, R>(f);
}
template <class M, class C, class R>
constexpr auto pick_by_reference(R (C::*f)(const M&) const) {
  return shape<false, R>(f);
}
template <class M, class C, class R>
constexpr auto pick_by_rvalue(R (C::*f)(M&&)) {
  return shape<false, R>(f);
}
template <class M, class C, class R>
constexpr auto pick_by_rvalue(R (C::*f)(M&&) const) {
  return shape<false, R>(f);
}
template <class M, class C, class R>
constexpr auto pick_by_value(R (C::*f)(M)) {
  return shape<false, R>(f);
}
template <class M, class C, class R>
constexpr auto pick_by_value(R (C::*f)(M) const) {
  return shape<false, R>(f);
}
template <class M, class C, class R>
constexpr auto pick_deferred_by_reference(R (C::*f)(const M&, ReplyTo<ReplyOf<M>>)) {
  return shape<true, R>(f);
}
template <class M, class C, class R>
constexpr auto pick_deferred_by_reference(R (C::*f)(const M&, ReplyTo<ReplyOf<M>>) const) {
  return shape<true, R>(f);
}
template <class M, class C, class R>
constexpr auto pick_deferred_by_rvalue(R (C::*f)(M&&, ReplyTo<ReplyOf<M>>)) {
  return shape<true, R>(f);
}
template <class M, class C, class R>
constexpr auto pick_deferred_by_rvalue(R (C::*f)(M&&, ReplyTo<ReplyOf<M>>) const) {
  return shape<true, R>(f);
}
template <class M, class C, class R>
constexpr auto pick_deferred_by_value(R (C::*f)(M, ReplyTo<ReplyOf<M>>)) {
  return shape<true, R>(f);
}
template <class M, class C, class R>
constexpr auto pick_deferred_by_value(R (C::*f)(M, ReplyTo<ReplyOf<M>>) const) {
  return shape<true, R>(f);
}

template <class T, class M>
concept TakesByReference = requires {
  pick_by_reference<M>(&T::receive);
};
template <class T, class M>
concept TakesByRvalue = requires {
  pick_by_rvalue<M>(&T::receive);
};
template <class T, class M>
concept TakesByValue = requires {
  pick_by_value<M>(&T::receive);
};
template <class T, class M>
concept TakesDeferredByReference = requires {
  pick_deferred_by_reference<M>(&T::receive);
};
template <class T, class M>
concept TakesDeferredByRvalue = requires {
  pick_deferred_by_rvalue<M>(&T::receive);
};
template <class T, class M>
concept TakesDeferredByValue = requires {
  pick_deferred_by_value<M>(&T::receive);
};

/// How many handlers of T take exactly M.
template <class T, class M>
inline constexpr int handler_count =
    TakesByReference<T, M> + TakesByRvalue<T, M> + TakesByValue<T, M> +
    TakesDeferredByReference<T, M> + TakesDeferredByRvalue<T, M> + TakesDeferredByValue<T, M>;
template <class T, class M>
concept HasOneHandler = handler_count<T, M>
== 1;
template <class T, class M>
concept HasSomeHandler = handler_count<T, M> >
1;

template <class T, class M>
consteval auto pick() {
  if constexpr (TakesByReference<T, M>) {
    return pick_by_reference<M>(&T::receive);
  } else if constexpr (TakesByRvalue<T, M>) {
    return pick_by_rvalue<M>(&T::receive);
  } else if constexpr (TakesByValue<T, M>) {
    return pick_by_value<M>(&T::receive);
  } else if constexpr (TakesDeferredByReference<T, M>) {
    return pick_deferred_by_reference<M>(&T::receive);
  } else if constexpr (TakesDeferredByRvalue<T, M>) {
    return pick_deferred_by_rvalue<M>(&T::receive);
  } else {
    return pick_deferred_by_value<M>(&T::receive);
  }
}
template <class T, class M>
concept HasConvertingHandler = requires(T& t, M& m) {
  t.receive(m);
};

template <class T, class M>
using HandlerShape = decltype(pick<T, M>());
template <class T, class M>
inline constexpr auto handler_of = pick<T, M>();

template <class M, class R, bool Deferred>
consteval bool returns_what_it_should() {
  using Reply = ReplyOf<M>;
  if constexpr (Deferred || !Request<M>) {
    return std::is_void_v<R> || std::is_same_v<R, Task<void>>;
  } else {
    return std::is_same_v<std::remove_cvref_t<R>, Reply> || std::is_same_v<R, Forwarded<Reply>> ||
           std::is_same_v<R, Task<Reply>>;
  }
}

template <class T, class M>
consteval auto why_no_handler() {
  using Reply = ReplyOf<M>;
  if constexpr (!movable_and_owned<M>) {
    return static_cast<why::a_message_must_be_movable_and_owned<M>*>(nullptr);
  } else if constexpr (alignof(M) > message_align_max) {
    return static_cast<why::align_a_message_to_64_bytes_at_most_or_point_to_it<M>*>(nullptr);
  } else if constexpr (std::is_reference_v<Reply>) {
    return static_cast<why::a_Reply_cannot_be_a_reference<M>*>(nullptr);
  } else if constexpr (!HasOneHandler<T, M>) {
    if constexpr (HasSomeHandler<T, M>) {
      return static_cast<why::two_handlers_take_this_message<M>*>(nullptr);
    } else if constexpr (HasConvertingHandler<T, M>) {
      return static_cast<why::the_only_handler_would_convert_this_message<M>*>(nullptr);
    } else {
      return static_cast<why::missing_handler_public_receive_of<M>*>(nullptr);
    }
  } else {
    using S = HandlerShape<T, M>;
    if constexpr (!returns_what_it_should<M, typename S::Result, S::deferred>()) {
      if constexpr (!Request<M> && !std::is_void_v<typename S::Result>) {
        return static_cast<why::the_message_has_no_Reply_so_tell_it_or_give_it_one<M>*>(nullptr);
      } else {
        using Wanted = std::conditional_t<S::deferred, void, Reply>;
        return static_cast<why::handler_returns_the_wrong_type<M, why::wants<Wanted>,
                                                               why::returns<typename S::Result>>*>(
            nullptr);
      }
    }
  }
}

/// Calls a handler of M and answers with what it returns.
template <class M, bool Deferred, class Call>
void run_handler(Turn& turn, Call call) {
  const auto begin_task = [&]<class R>(Task<R> task) {
    turn.task = task.release().address();
    turn.finish_task = &finish_task<M, R>;
  };
  if constexpr (Deferred) {
    using R = decltype(call(ReplyTo<ReplyOf<M>>{RequestPort{}}));
    if constexpr (is_task<R>) {
      begin_task(call(ReplyTo<ReplyOf<M>>{kept(turn.take_port())}));
    } else {
      call(ReplyTo<ReplyOf<M>>{kept(turn.take_port())});
    }
  } else if constexpr (is_task<decltype(call())>) {
    begin_task(call());
  } else {
    using R = decltype(call());
    if constexpr (!Request<M> || is_forwarded<R>) {
      call();
    } else if constexpr (std::is_void_v<R>) {
      call();
      answer_done(turn.take_port());
    } else {
      ReplyOf<M> value(call());  // may throw: the duty to answer is taken after
      answer<ReplyOf<M>>(turn.take_port(), std::move(value));
    }
  }
}

template <class T, class M>
void call_handler(T& actor, Envelope& envelope, Turn& turn) {
  using S = HandlerShape<T, M>;
  M& message = payload_as<M>(envelope);
  const auto member = handler_of<T, M>.pointer;
  run_handler<M, S::deferred>(turn, [&](auto&&... more) -> typename S::Result {
    if constexpr (TakesByReference<T, M> || TakesDeferredByReference<T, M>) {
      return (actor.*member)(message, std::forward<decltype(more)>(more)...);
    } else {
      turn.is_given_away = true;
      return (actor.*member)(std::move(message), std::forward<decltype(more)>(more)...);
    }
  });
}
template <class T, class M>
void handle(void* actor, Envelope& envelope, Turn& turn) {
  call_handler<T, M>(*static_cast<T*>(actor), envelope, turn);
}

}  // namespace troupe::detail
