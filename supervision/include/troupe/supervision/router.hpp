// Routers: one ref for several actors that take the same messages.
#pragma once

#include <algorithm>
#include <vector>

#include <troupe/runtime/random.hpp>
#include <troupe/runtime/system.hpp>
#include <troupe/supervision/supervisor.hpp>

namespace troupe {

// ---- which routee gets a message: the last argument of pool and group

/// One after the other.
struct RoundRobin {
  std::size_t next = 0;
};
inline constexpr RoundRobin round_robin;
/// Any; the System's seed decides.
struct AnyRoutee {};
inline constexpr AnyRoutee random_routee;
/// The one with the fewest messages in its mailbox; among equals one after the other.
struct LeastLoaded {
  std::size_t next = 0;
};
inline constexpr LeastLoaded least_loaded;
/// Messages of one key go to one routee. When a routee leaves, only its own keys move (rendezvous
/// hashing: Thaler and Ravishankar, IEEE/ACM Transactions on Networking 6(1), 1998).
template <class KeyOf>
struct ConsistentHash {
  KeyOf key_of;
};
/// `key_of(message)` is called for each message; its result is hashed by std::hash.
template <class KeyOf>
ConsistentHash<KeyOf> consistent_hash(KeyOf key_of) {
  return {std::move(key_of)};
}
/// Everybody gets a copy. Only for messages without a reply.
struct Broadcast {};
inline constexpr Broadcast broadcast;
/// Everybody is asked, and the first value is the answer; fails when all have failed, with the last
/// error. Messages without a reply go to everybody.
struct ScatterGatherFirst {
  Duration within;  ///< how long each routee is waited for
};
constexpr ScatterGatherFirst scatter_gather_first(Duration within) noexcept {
  return {within};
}

namespace detail {

template <class Logic>
inline constexpr bool goes_to_all =
    std::is_same_v<Logic, Broadcast> || std::is_same_v<Logic, ScatterGatherFirst>;

/// The index of the routee that gets m; there is at least one.
template <class Refs, class M>
std::size_t choose_routee(RoundRobin& logic, const Refs& routees, const M&) {
  return logic.next++ % routees.size();
}
template <class Refs, class M>
std::size_t choose_routee(AnyRoutee&, const Refs& routees, const M&) {
  return static_cast<std::size_t>(random_unit() * static_cast<double>(routees.size()));
}
template <class Refs, class M>
std::size_t choose_routee(LeastLoaded& logic, const Refs& routees, const M&) {
  std::size_t best = logic.next++ % routees.size();
  std::uint32_t least = mailbox_length(routees[best].address());
  for (std::size_t i = 1; i < routees.size() && least != 0; ++i) {
    const std::size_t at = (logic.next - 1 + i) % routees.size();
    const std::uint32_t length = mailbox_length(routees[at].address());
    if (length >= least) continue;
    best = at;
    least = length;
  }
  return best;
}
template <class KeyOf, class Refs, class M>
std::size_t choose_routee(ConsistentHash<KeyOf>& logic, const Refs& routees, const M& m) {
  const std::uint64_t key = std::hash<std::decay_t<decltype(logic.key_of(m))>>{}(logic.key_of(m));
  std::size_t best = 0;
  std::uint64_t highest = 0;
  for (std::size_t i = 0; i < routees.size(); ++i) {
    const std::uint64_t routee = std::hash<std::decay_t<decltype(routees[i])>>{}(routees[i]);
    const std::uint64_t weight = Random{Random{key}.next() ^ routee}.next();
    if (i != 0 && weight <= highest) continue;
    best = i;
    highest = weight;
  }
  return best;
}

/// What the handler of a router returns: nothing, the first answer of all, or the duty to answer.
template <class Logic, class M>
using Routed =
    std::conditional_t<!Request<M>, void,
                       std::conditional_t<goes_to_all<Logic>, ReplyOf<M>, ForwardedFor<M>>>;
template <class Router, class Logic, class M>
class RouterHandler {
 public:
  Routed<Logic, M> receive(M&& m) {
    auto& router = static_cast<Router&>(*this);
    if constexpr (!goes_to_all<Logic>) {
      return router.pass_on(std::move(m));
    } else if constexpr (Request<M>) {
      return router.ask_all(m);
    } else {
      return router.tell_all(m);
    }
  }
};

/// A router on top of Actor or Supervisor.
template <class Base, class P, class Logic, class List>
class Router;
template <class Base, class P, class Logic, class... Ms>
class Router<Base, P, Logic, TypeList<Ms...>>
    : public Base, public RouterHandler<Router<Base, P, Logic, TypeList<Ms...>>, Logic, Ms>... {
 public:
  static constexpr Turns turns = goes_to_all<Logic> ? reentrant : exclusive;
  using RouterHandler<Router, Logic, Ms>::receive...;

  template <class... Args>
  explicit Router(Logic logic, Args&&... args)
      : Base(std::forward<Args>(args)...), logic_(std::move(logic)) {}

 protected:
  std::vector<Ref<P>> routees_;

 private:
  template <class R, class L, class M>
  friend class RouterHandler;

  template <class M>
  Routed<Logic, M> pass_on(M&& m) {
    if constexpr (Request<M>) {
      require(!routees_.empty(), "the router has no routee");
    } else if (routees_.empty()) {
      Ref<P>{}.tell(std::move(m));  // a dead letter (S8)
      return;
    }
    const Ref<P>& to = routees_[choose_routee(logic_, routees_, std::as_const(m))];
    if constexpr (Request<M>) {
      return this->forward(to, std::move(m));
    } else {
      to.tell(std::move(m));
    }
  }
  template <class M>
  void tell_all(const M& m) {
    if (routees_.empty()) Ref<P>{}.tell(m);  // a dead letter (S8)
    for (const Ref<P>& to : routees_) to.tell(m);
  }
  template <class M>
  ReplyOf<M> ask_all(const M& m) {
    require(!routees_.empty(), "the router has no routee");
    std::vector<AskFor<M>> asks;
    for (const Ref<P>& to : routees_) asks.push_back(to.ask(m, logic_.within));
    for (;;) {
      const std::size_t ended = await_any(asks);
      auto result = asks[ended].try_await();
      if (result) {
        if constexpr (std::is_void_v<ReplyOf<M>>) {
          return;
        } else {
          return std::move(*result);
        }
      }
      asks.erase(asks.begin() + static_cast<std::ptrdiff_t>(ended));
      if (asks.empty()) throw_ask_error(result.error());
    }
  }

  Logic logic_;
};

template <class P, class Logic>
class Pool final : public Router<Supervisor<P>, P, Logic, PublicMessages<P>> {
 public:
  Pool(std::size_t size, Factory<P> routee, Logic logic, SupervisorOptions options)
      : Router<Supervisor<P>, P, Logic, PublicMessages<P>>(std::move(logic), std::move(options)),
        size_(size),
        routee_(std::move(routee)) {
    if (size == 0) throw UsageError("a pool needs at least one routee");
  }
  void on_start() override {
    for (std::size_t i = 1; i <= size_; ++i)
      child_is_here(this->start_child({.id = "routee-" + std::to_string(i)}, routee_));
  }

 private:
  // Children also come and go by hand, and by their supervisor's decisions.
  void child_is_here(const Ref<>& child) override {
    using Table = TypeTable<PublicMessages<P>>;
    if (!takes_all(child.address(), Table::entries, Table::count)) return;  // no routee
    const Ref<P> routee{child.address()};
    auto& all = this->routees_;
    if (std::find(all.begin(), all.end(), routee) == all.end()) all.push_back(routee);
  }
  void child_has_left(const Ref<>& child) override {
    std::erase_if(this->routees_, [&](const Ref<P>& routee) { return routee == child; });
  }
  std::size_t size_;
  Factory<P> routee_;
};

template <class P, class Logic>
class Group final : public Router<Actor<P>, P, Logic, PublicMessages<P>> {
  using Base = Router<Actor<P>, P, Logic, PublicMessages<P>>;

 public:
  Group(std::vector<Ref<P>> routees, Logic logic) : Base(std::move(logic)) {
    this->routees_ = std::move(routees);
  }
  using Base::receive;
  void on_start() override {
    for (const Ref<P>& routee : this->routees_) this->watch(routee);
  }
  void receive(const Terminated& ended) {
    std::erase_if(this->routees_, [&](const Ref<P>& routee) { return routee == ended.who; });
  }
};

template <class Logic, class List>
struct FirstUnanswerable {
  using type = void;
};
template <class M, class... Ms>
struct FirstUnanswerable<Broadcast, TypeList<M, Ms...>> {
  using type = typename std::conditional_t<Request<M>, std::type_identity<M>,
                                           FirstUnanswerable<Broadcast, TypeList<Ms...>>>::type;
};
template <class P, class Logic>
consteval auto why_not_route() {
  using M = typename FirstUnanswerable<Logic, PublicMessages<P>>::type;
  if constexpr (!std::is_void_v<M>) {
    return static_cast<why::a_broadcast_has_no_single_answer_use_scatter_gather_first<M>*>(nullptr);
  }
}

}  // namespace detail

/// A factory of a router with `size` routees (at least one: spawning it throws UsageError for none)
/// of its own, which it supervises one for one by
/// `options`. Requests are forwarded, so the routee answers the asker. To be spawned as any other
/// actor: `Ref<PaymentApi> payments = system.spawn(troupe::pool(4, factory, least_loaded));`
template <class P, class Logic = RoundRobin,
          class Why = decltype(detail::why_not_route<P, Logic>())>
requires detail::fine<Why> Factory<P> pool(std::size_t size, Factory<P> routee, Logic logic = {},
                                           SupervisorOptions options = {}) {
  return Factory<P>{detail::make_maker<detail::Pool<P, Logic>>(
      size, std::move(routee), std::move(logic), std::move(options))};
}
template <class P, class Logic, class Why = decltype(detail::why_not_route<P, Logic>())>
requires(!detail::fine<Why>) Factory<P> pool(std::size_t size, Factory<P> routee, Logic logic,
                                             SupervisorOptions options = {})
= delete;

/// A factory of a router to actors that others own. A routee that ends is left out from then on;
/// without any left requests are refused, and other messages are dead letters.
template <class P, class Logic = RoundRobin,
          class Why = decltype(detail::why_not_route<P, Logic>())>
requires detail::fine<Why> Factory<P> group(std::vector<Ref<P>> routees, Logic logic = {}) {
  return Factory<P>{
      detail::make_maker<detail::Group<P, Logic>>(std::move(routees), std::move(logic))};
}
template <class P, class Logic, class Why = decltype(detail::why_not_route<P, Logic>())>
requires(!detail::fine<Why>) Factory<P> group(std::vector<Ref<P>> routees, Logic logic)
= delete;

}  // namespace troupe
