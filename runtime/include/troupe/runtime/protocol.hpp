// Lists of messages: protocols, private messages, and the question "does this list take M?".
#pragma once

#include <troupe/runtime/message.hpp>
#include <troupe/runtime/why.hpp>

namespace troupe {

/// Base of a named list of messages: `struct AccountApi : troupe::Protocol<Deposit, GetBalance>
/// {};` The entries are messages, other protocols, or actor classes.
template <class... Ms>
struct Protocol;

/// Marks messages of an actor that only the actor itself can send (timers, `pipe_to_self`,
/// `self()`).
template <class... Ms>
struct Private {};

namespace detail {

template <class... Ms>
struct TypeList {};
struct ProtocolBase {};
struct ActorTag {};

template <class T>
concept Complete = requires {
  sizeof(T);
};

template <class T>
inline constexpr bool is_private = false;
template <class... Ms>
inline constexpr bool is_private<Private<Ms...>> = true;

template <class... Lists>
struct Concat;
template <>
struct Concat<> {
  using type = TypeList<>;
};
template <class... As>
struct Concat<TypeList<As...>> {
  using type = TypeList<As...>;
};
template <class... As, class... Bs, class... Rest>
struct Concat<TypeList<As...>, TypeList<Bs...>, Rest...> {
  using type = typename Concat<TypeList<As..., Bs...>, Rest...>::type;
};

/// The public messages an entry of a list stands for.
template <class P>
consteval auto public_messages_of() {
  if constexpr (is_private<P>) {
    return TypeList<>{};
  } else if constexpr (Complete<P>) {
    if constexpr (std::is_base_of_v<ProtocolBase, P> || std::is_base_of_v<ActorTag, P>) {
      return typename P::troupe_public_messages{};
    } else {
      return TypeList<P>{};
    }
  } else {
    return TypeList<P>{};
  }
}
template <class P>
struct PrivateOf {
  using type = TypeList<>;
};
template <class... Ms>
struct PrivateOf<Private<Ms...>> {
  using type = TypeList<Ms...>;
};

template <class... Ps>
using PublicMessages = typename Concat<decltype(public_messages_of<Ps>())...>::type;
template <class... Ps>
using PrivateMessages = typename Concat<typename PrivateOf<Ps>::type...>::type;

// Membership is inheritance: linear for a list, not quadratic (API.md 15).
template <class M>
struct Tag {};
template <class M, std::size_t I>
struct Slot : Tag<M> {};
template <class Indices, class... Ms>
struct SetOf;
template <std::size_t... Is, class... Ms>
struct SetOf<std::index_sequence<Is...>, Ms...> : Slot<Ms, Is>... {};
template <class List>
struct MessageSet;
template <class... Ms>
struct MessageSet<TypeList<Ms...>> : SetOf<std::index_sequence_for<Ms...>, Ms...> {};

template <class M, class List>
inline constexpr bool contains = std::is_base_of_v<Tag<M>, MessageSet<List>>;

template <class P>
consteval bool is_undefined() {
  return !Complete<P>;
}

/// The first declared-but-undefined entry, or void.
template <class... Ps>
struct FirstUndefined {
  using type = void;
};
template <class P, class... Ps>
struct FirstUndefined<P, Ps...> {
  using type = typename std::conditional_t<is_undefined<P>(), std::type_identity<P>,
                                           FirstUndefined<Ps...>>::type;
};

template <class List, class... Ps>
inline constexpr bool covers_all = false;
template <class... Ms, class... Ps>
inline constexpr bool covers_all<TypeList<Ms...>, Ps...> = (contains<Ms, PublicMessages<Ps...>> &&
                                                            ...);

}  // namespace detail

template <class... Ms>
struct Protocol : detail::ProtocolBase {
  using troupe_public_messages = detail::PublicMessages<Ms...>;
};

}  // namespace troupe
