// Process<Ms...>: an actor written as one function that receives when it wants to (Erlang's style).
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <tuple>
#include <utility>

#include <troupe/runtime/factory.hpp>
#include <troupe/runtime/system.hpp>

namespace troupe {

template <class... Ms>
class Process;

namespace detail {

struct BeginProcess {};

template <class P, class F>
struct WhenClause {
  P accepts;
  F function;
};
template <class F>
struct AfterClause {
  Duration limit;
  F function;
};
template <class F>
inline constexpr bool is_after = false;
template <class F>
inline constexpr bool is_after<AfterClause<F>> = true;

/// The lambda of a clause of receive, and what it takes.
template <class F>
struct ClauseOf {
  using Function = F;
};
template <class P, class F>
struct ClauseOf<WhenClause<P, F>> {
  using Function = F;
};
template <class F>
struct ClauseOf<AfterClause<F>> {
  using Function = F;
};
template <class F>
using FunctionOf = typename ClauseOf<std::decay_t<F>>::Function;

/// A message that was taken from the mailbox and not received yet.
template <class M>
struct Received {
  std::uint64_t number;  ///< counts what the process took
  M message;
  [[no_unique_address]] std::conditional_t<Request<M>, ReplyTo<ReplyOf<M>>, NoReply> reply;
};

/// Where a process waits, and for what.
/// Thread safety: on its actor.
class ProcessWait {
 public:
  /// Returns when one of these types has come, or at the deadline; none: when the mailbox is empty.
  /// Throws Cancelled when the actor is to end.
  void wait(Cell& self, const MessageType* const* wanted, std::size_t count,
            std::optional<TimePoint> deadline);
  /// A message waits here now, and no more in the mailbox; its length counts it all the same.
  void came(const MessageType& type);
  static void received(std::size_t messages);
  std::uint64_t numbers = 0;

 private:
  const MessageType* const* wanted_ = nullptr;
  std::size_t count_ = 0;
  RequestPort waker_;
};

template <class M>
class ProcessInbox {
 public:
  explicit ProcessInbox(ProcessWait& wait) : wait_(wait) {}
  void receive(M&& m) requires(!Request<M>) {
    items.push_back({++wait_.numbers, std::move(m), {}});
    wait_.came(message_type<M>);
  }
  void receive(M&& m, ReplyTo<ReplyOf<M>> reply) requires Request<M> {
    items.push_back({++wait_.numbers, std::move(m), std::move(reply)});
    wait_.came(message_type<M>);
  }
  std::deque<Received<M>> items;

 private:
  ProcessWait& wait_;
};

/// Has the process begin its function behind the messages that are there. Throws UsageError when
/// its mailbox has options: a process takes its mail out of it, so that they would mean nothing.
void begin_process(Cell& self);
/// Messages that were taken and never received are dead letters.
void report_unread(Cell& self, const MessageType& type, std::size_t count);

struct ProcessWaitOwner {
  ProcessWait wait;
};
template <class List, class... Ms>
class ProcessActor;
template <class... Taken, class... Ms>
class ProcessActor<TypeList<Taken...>, Ms...> : public Actor<Taken..., Private<BeginProcess>>,
                                                private ProcessWaitOwner,
                                                public ProcessInbox<Ms>... {
 public:
  static constexpr Turns turns{TurnsKind::process};
  ProcessActor() : ProcessInbox<Ms>(ProcessWaitOwner::wait)... {}
  using ProcessInbox<Ms>::receive...;
  void on_start() override { begin_process(*this->cell()); }
  void on_stop(StopReason) override {
    (report_unread(*this->cell(), message_type<Ms>, ProcessInbox<Ms>::items.size()), ...);
  }
  void receive(const BeginProcess&) {
    if (std::exchange(has_begun_, true)) return;  // of an incarnation that did not get so far
    try {
      run();
    } catch (const AskFailed& failed) {  // would end the request alone, and leave nobody at work
      std::throw_with_nested(std::runtime_error(failed.what()));
    }
    this->stop();
  }

 protected:
  virtual void run() = 0;

 private:
  template <class... Ns>
  friend class troupe::Process;
  bool has_begun_ = false;
};

template <class F, class... Ms>
class ProcessOf final : public ProcessActor<NoSignals<Ms...>, Ms...> {
 public:
  explicit ProcessOf(const F& body) : body_(body) {}

 private:
  void run() override;
  F body_;
};

/// Why F is no clause of a process that takes these messages; void when it is one.
template <class List, class Clause>
consteval auto why_no_clause() {
  using F = FunctionOf<Clause>;
  using Shape = ShapeOfLambda<F>;
  using M = typename Shape::Message;
  if constexpr (is_after<std::decay_t<Clause>>) {
  } else if constexpr (std::is_void_v<M>) {
    return static_cast<why::a_handler_takes_one_message_of_a_named_type<F>*>(nullptr);
  } else if constexpr (!contains<M, List>) {
    return static_cast<why::the_actor_does_not_accept_this_message_add_it_to_its_list<M>*>(nullptr);
  } else if constexpr (Request<M>) {
    if constexpr (!std::is_same_v<typename Shape::Deferred, ReplyOf<M>>) {
      return static_cast<why::a_process_answers_a_request_by_a_ReplyTo_as_second_parameter<M>*>(
          nullptr);
    }
  }
}
template <class List, class... Clauses>
struct FirstBadClause {
  using type = void;
};
template <class List, class C, class... Cs>
struct FirstBadClause<List, C, Cs...> {
  using Why = decltype(why_no_clause<List, C>());
  using type = typename std::conditional_t<std::is_void_v<Why>, FirstBadClause<List, Cs...>,
                                           std::type_identity<Why>>::type;
};
template <class List, class... Clauses>
consteval auto why_not_receive() {
  using Bad = typename FirstBadClause<List, Clauses...>::type;
  if constexpr (!std::is_void_v<Bad>) return Bad{};
}

}  // namespace detail

/// A clause of `Process::receive` that takes a message only if `accepts(message)`.
template <class P, class F>
auto when(P accepts, F function) {
  return detail::WhenClause<P, F>{std::move(accepts), std::move(function)};
}
/// The last clause of `Process::receive`: what happens when nothing that it takes has come for so
/// long. Zero: when nothing is there.
template <class F>
auto after(Duration limit, F function) {
  return detail::AfterClause<F>{limit, std::move(function)};
}

/// What the function of a process works with. `Ms` are messages and signals. It waits in `receive`,
/// and takes what it wants; the rest stays for a later receive, in its order. The actor ends when
/// the function returns, and with a failure when it throws; what it has taken from the mailbox and
/// not received is then a dead letter, also where it is restarted. A stop ends it in its next or
/// present `receive`, which throws Cancelled. Thread safety: on its actor.
template <class... Ms>
class Process {
  using TheActor = detail::ProcessActor<detail::NoSignals<Ms...>, Ms...>;
  using List = detail::TypeList<Ms...>;

 public:
  explicit Process(TheActor& actor) noexcept : actor_(actor) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Waits for the first message that one of these lambdas takes, and returns what the lambda
  /// returns: `(const M&)`, `(M&&)` or `(M)`, with a `ReplyTo<R>` as its second parameter for a
  /// request; `when(accepts, lambda)`; and at the end `after(limit, lambda)`. What others wait for
  /// costs nothing however much of it there is; what `accepts` turns down is looked at once in each
  /// receive.
  template <class... Clauses, class Why = decltype(detail::why_not_receive<List, Clauses...>())>
  requires detail::fine<Why>
  auto receive(Clauses&&... clauses) {
    return Receive<std::decay_t<Clauses>...>(actor_, std::forward<Clauses>(clauses)...).run();
  }
  template <class... Clauses, class Why = decltype(detail::why_not_receive<List, Clauses...>())>
  requires(!detail::fine<Why>) auto receive(Clauses&&... clauses) = delete;

  [[nodiscard]] Ref<TheActor> ref() const {
    return Ref<TheActor>{detail::address_of(*actor_.cell())};
  }
  template <class T, class... Args, class Why = decltype(detail::why_not_spawn<T, Args...>())>
  requires detail::fine<Why> Ref<T> spawn(Args&&... args) {
    return actor_.template spawn<T>(std::forward<Args>(args)...);
  }
  template <class... Ps>
  Ref<Ps...> spawn(const Factory<Ps...>& factory, const SpawnOptions& options = {}) {
    return actor_.spawn(factory, options);
  }
  void watch(const Ref<>& other) { actor_.watch(other); }
  void unwatch(const Ref<>& other) {
    actor_.unwatch(other);
    forget<Terminated>([&](const Terminated& m) { return m.who == other; });  // S52
  }
  MonitorToken monitor(const Ref<>& other) { return actor_.monitor(other); }
  void demonitor(MonitorToken token) {
    actor_.demonitor(token);
    forget<Down>([&](const Down& m) { return m.token == token; });
  }
  void link(const Ref<>& other) { actor_.link(other); }
  void unlink(const Ref<>& other) { actor_.unlink(other); }
  void exit(const Ref<>& other, ExitReason why) { actor_.exit(other, std::move(why)); }
  void stop(const Ref<>& other) { actor_.stop(other); }
  void kill(const Ref<>& other) { actor_.kill(other); }
  [[nodiscard]] ActorLog log() const { return actor_.log(); }
  [[nodiscard]] TimePoint now() const { return actor_.now(); }
  /// Messages that were taken from the mailbox and not received yet.
  [[nodiscard]] std::size_t waiting() const {
    return (static_cast<detail::ProcessInbox<Ms>&>(actor_).items.size() + ... + 0);
  }

 private:
  template <class Signal, class F>
  void forget(F is_it) {
    if constexpr ((std::is_same_v<Signal, Ms> || ...)) {
      detail::ProcessWait::received(
          std::erase_if(static_cast<detail::ProcessInbox<Signal>&>(actor_).items,
                        [&](const auto& item) { return is_it(item.message); }));
    }
  }
  template <class... Clauses>
  class Receive;
  TheActor& actor_;
};

/// One call of receive. Thread safety: on its actor.
template <class... Ms>
template <class... Clauses>
class Process<Ms...>::Receive {
  static constexpr std::size_t count = sizeof...(Clauses);
  static_assert(count > 0, "receive needs a clause");
  template <std::size_t I>
  using Clause = std::tuple_element_t<I, std::tuple<Clauses...>>;
  template <std::size_t I>
  using MessageOf = detail::MessageOfLambda<detail::FunctionOf<Clause<I>>>;
  using Last = Clause<count - 1>;
  static constexpr bool has_after = detail::is_after<Last>;
  static constexpr std::size_t takers = count - (has_after ? 1 : 0);

 public:
  template <class... Given>
  explicit Receive(TheActor& process, Given&&... given)
      : actor(process), clauses(std::forward<Given>(given)...) {}
  auto run() { return run(std::make_index_sequence<takers>{}); }

 private:
  struct Found {
    std::uint64_t number = ~std::uint64_t{0};
    std::size_t clause = 0;
    std::size_t at = 0;
  };
  TheActor& actor;
  std::tuple<Clauses...> clauses;
  std::array<std::size_t, takers + 1> looked_at{};  ///< what `when` has turned down so far

  template <std::size_t... Is>
  auto run([[maybe_unused]] std::index_sequence<Is...> all) {
    static const detail::MessageType* const wanted[takers + 1] = {
        &detail::message_type<MessageOf<Is>>..., nullptr};
    std::optional<TimePoint> deadline = TimePoint::max();
    if constexpr (has_after) {
      const Duration limit = std::get<count - 1>(clauses).limit;
      deadline = limit > Duration::zero() ? std::optional(deadline_after(actor.now(), limit))
                                          : std::nullopt;
    }
    for (bool is_over = false;;) {
      if constexpr (takers > 0) {
        Found found;
        (look<Is>(found), ...);
        if (found.number != ~std::uint64_t{0}) return take(found, all);
      }
      if constexpr (has_after) {
        if (is_over) return std::get<count - 1>(clauses).function();
      }
      actor.ProcessWaitOwner::wait.wait(*actor.cell(), wanted, takers, deadline);
      is_over = !deadline || actor.now() >= *deadline;
    }
  }
  template <std::size_t I>
  auto& items() {
    return static_cast<detail::ProcessInbox<MessageOf<I>>&>(actor).items;
  }
  template <std::size_t I>
  void look(Found& found) {
    auto& waiting = items<I>();
    std::size_t& at = looked_at[I];
    if constexpr (requires { std::get<I>(clauses).accepts; }) {
      detail::NoWaiting in_matcher;
      in_matcher.begin();
      while (at < waiting.size() &&
             !std::get<I>(clauses).accepts(std::as_const(waiting[at].message)))
        ++at;
    }
    if (at < waiting.size() && waiting[at].number < found.number)
      found = {waiting[at].number, I, at};
  }
  template <std::size_t First, std::size_t... Is>
  auto take(const Found& found, std::index_sequence<First, Is...>) {
    if constexpr (sizeof...(Is) == 0) {
      return call<First>(found.at);
    } else {
      if (found.clause == First) return call<First>(found.at);
      return take(found, std::index_sequence<Is...>{});
    }
  }
  template <std::size_t I>
  auto call(std::size_t at) {
    auto& waiting = items<I>();
    auto item = std::move(waiting[at]);
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
    detail::ProcessWait::received(1);
    auto& function = [this]() -> auto& {
      if constexpr (requires { std::get<I>(clauses).accepts; }) {
        return std::get<I>(clauses).function;
      } else {
        return std::get<I>(clauses);
      }
    }
    ();
    using M = MessageOf<I>;
    if constexpr (Request<M>) {
      return function(std::move(item.message), std::move(item.reply));
    } else if constexpr (std::is_invocable_v<decltype(function), M&&>) {
      return function(std::move(item.message));
    } else {
      return function(std::as_const(item.message));
    }
  }
};

namespace detail {

template <class F, class... Ms>
void ProcessOf<F, Ms...>::run() {
  Process<Ms...> self{*this};
  body_(self);
}
template <class C, class... Ms>
TypeList<Ms...> messages_of_body(void (C::*)(Process<Ms...>&) const);
template <class F, class... Ms, class... Taken>
Factory<Taken...> process_factory(F body, TypeList<Ms...>, TypeList<Taken...>) {
  return Factory<Taken...>{make_maker<ProcessOf<F, Ms...>>(std::move(body))};
}
template <class F, class... Ms>
auto process_of(F body, TypeList<Ms...> messages) {
  return process_factory(std::move(body), messages, NoSignals<Ms...>{});
}

}  // namespace detail

/// A factory of processes that run (a copy of) `body`, a lambda `(Process<Ms...>& self)`.
template <class F>
auto process(F body) {
  return detail::process_of(std::move(body), decltype(detail::messages_of_body(&F::operator())){});
}
/// Spawns a top-level process.
template <class F>
auto spawn_process(System& system, F body, const SpawnOptions& options = {}) {
  return system.spawn(process(std::move(body)), options);
}

}  // namespace troupe
