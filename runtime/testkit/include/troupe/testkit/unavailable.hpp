// Unavailable<P>: an actor that refuses every request of a protocol.
#pragma once

#include <troupe/runtime/actor.hpp>

namespace troupe::testkit {

namespace detail {
template <class M>
class RefusingHandler {
 public:
  void receive(const M&) requires(!Request<M>) {}
  void receive(const M&, ReplyTo<ReplyOf<M>> reply) requires Request<M> {
    reply.refuse("unavailable");
  }
};
template <class P, class List>
class UnavailableActor;
template <class P, class... Ms>
class UnavailableActor<P, troupe::detail::TypeList<Ms...>> : public Actor<P>,
                                                             public RefusingHandler<Ms>... {
 public:
  using RefusingHandler<Ms>::receive...;
};
}  // namespace detail

/// Stands in for a service that is down: requests are refused, messages ignored.
template <class P>
class Unavailable : public detail::UnavailableActor<P, troupe::detail::PublicMessages<P>> {};

}  // namespace troupe::testkit
