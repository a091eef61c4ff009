// Which protocols may lead out of a process: a property of types.
#pragma once

#include <troupe/runtime/message.hpp>
#include <troupe/runtime/protocol.hpp>
#include <troupe/runtime/why.hpp>

namespace troupe::codec {

/// Why messages of type M stay in their process; void where they may leave it.
template <class M>
consteval auto why_message_stays() {
  if constexpr (!troupe::detail::HasCodec<M>) {
    return static_cast<why::a_message_to_another_node_needs_a_schema<M>*>(nullptr);
  } else if constexpr (Request<M> && troupe::detail::reply_type_of<M>() == nullptr) {
    return static_cast<why::a_Reply_from_another_node_needs_a_schema<ReplyOf<M>>*>(nullptr);
  }
}

template <class List>
struct FirstThatStays;
template <>
struct FirstThatStays<troupe::detail::TypeList<>> {
  using type = void;
};
template <class M, class... Ms>
struct FirstThatStays<troupe::detail::TypeList<M, Ms...>> {
  using Why = decltype(why_message_stays<M>());
  using type = typename std::conditional_t<std::is_void_v<Why>,
                                           FirstThatStays<troupe::detail::TypeList<Ms...>>,
                                           std::type_identity<Why>>::type;
};

/// Why a ref that takes P's messages may not lead to another node; void where it may.
template <class... Ps>
using WhyNotRemote = typename FirstThatStays<troupe::detail::PublicMessages<Ps...>>::type;

/// A ref that takes P's messages may lead to another node: each of them has a schema, and each
/// answer.
template <class... Ps>
concept Remotable = std::is_void_v<WhyNotRemote<Ps...>>;

}  // namespace troupe::codec
