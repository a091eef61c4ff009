// Actor<Ms...>: the base of every actor class.
#pragma once

#include <concepts>
#include <functional>
#include <stop_token>
#include <string>
#include <utility>

#include <troupe/runtime/behavior.hpp>
#include <troupe/runtime/children.hpp>
#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/detail/actor_type.hpp>
#include <troupe/runtime/find.hpp>
#include <troupe/runtime/spawn_options.hpp>

namespace troupe {

/// What `static constexpr auto turns = ...;` in an actor's class says: which messages go on while a
/// handler waits (S137). Turns never run in parallel.
struct Turns {
  detail::TurnsKind kind;
};
/// None, which is the default.
inline constexpr Turns exclusive{detail::TurnsKind::exclusive};
/// Any message: state may change at each await.
inline constexpr Turns reentrant{detail::TurnsKind::reentrant};
/// While `const` handlers wait, messages of other `const` handlers.
inline constexpr Turns readers_together{detail::TurnsKind::readers_together};

/// Names a timer of one actor: a text or a number.
/// Thread safety: a plain value.
class TimerKey {
 public:
  TimerKey(const char* text) : text_(text) {}             // NOLINT: keys are written in place
  TimerKey(std::string text) : text_(std::move(text)) {}  // NOLINT
  template <std::integral I>
  TimerKey(I number) : number_(static_cast<std::uint64_t>(number)) {}  // NOLINT
  friend bool operator==(const TimerKey&, const TimerKey&) = default;

 private:
  std::string text_;
  std::uint64_t number_ = 0;
};

/// Writes log lines that carry the actor's path.
/// Thread safety: any thread, while the actor lives.
class ActorLog {
 public:
  explicit ActorLog(detail::Cell& cell) noexcept : cell_(&cell) {}
  void debug(std::string_view text) const;
  void info(std::string_view text) const;
  void warning(std::string_view text) const;
  void error(std::string_view text) const;

 private:
  detail::Cell* cell_;
};

/// For `every`: the period begins when the handler of the last tick has ended.
struct AfterCompletion {};
inline constexpr AfterCompletion after_completion;

namespace detail {
std::stop_token stop_token_of(const RequestPort& port);
}

/// The message being handled: who sent it and until when its sender waits.
/// Thread safety: on the actor, in the handler it was taken in.
class CurrentRequest {
 public:
  CurrentRequest(Ref<> sender, TimePoint deadline, detail::RequestPort port) noexcept
      : sender_(sender), deadline_(deadline), port_(port) {}
  /// The actor that sent the message; empty when it came from outside or from a timer.
  [[nodiscard]] const Ref<>& sender() const noexcept { return sender_; }
  /// Until when the asker waits; TimePoint::max() for a told message, the present once the ask is
  /// over. Where the asker asks often it is an estimate, early by a 32nd of the timeout at most.
  /// Not inherited by the handler's own asks.
  [[nodiscard]] TimePoint deadline() const noexcept { return deadline_; }
  /// Stopped when the asker gives up: it dropped its Ask, its timeout is over, or it has ended.
  /// Callbacks registered with it run on the thread that gives up. For a told message it never
  /// stops.
  [[nodiscard]] std::stop_token stop_token() const { return detail::stop_token_of(port_); }

 private:
  Ref<> sender_;
  TimePoint deadline_;
  detail::RequestPort port_;
};

namespace detail {

class SystemCore;
class Worker;

/// From begin to end this thread's actor may not wait: in constructors and matchers (S48, S139).
/// Thread safety: on the actor.
class NoWaiting {
 public:
  NoWaiting() = default;
  NoWaiting(const NoWaiting&) = delete;
  NoWaiting& operator=(const NoWaiting&) = delete;
  ~NoWaiting() { end(); }
  void begin() noexcept;
  void end() noexcept {
    if (worker_ != nullptr) give_back();
  }

 private:
  void give_back() noexcept;
  Worker* worker_ = nullptr;
  bool was_so_ = false;
};

/// The making of a top-level actor, which the shutdown waits for. Thread safety: as its NewCell.
class SpawnUnderWay {
 public:
  SpawnUnderWay() = default;
  SpawnUnderWay(const SpawnUnderWay&) = delete;
  SpawnUnderWay& operator=(const SpawnUnderWay&) = delete;
  ~SpawnUnderWay() { end(); }
  void begin(SystemCore& core) noexcept;

 private:
  void end() noexcept;
  SystemCore* core_ = nullptr;
};

/// A cell whose object is being constructed; given back if that throws.
class NewCell {
 public:
  NewCell(Cell* parent, SystemCore* core, const ActorType& type, const SpawnOptions* options);
  NewCell(const NewCell&) = delete;
  NewCell& operator=(const NewCell&) = delete;
  ~NewCell();
  /// A constructor runs from here to launch: it may not wait (S48).
  [[nodiscard]] void* where() noexcept;
  /// The actor exists from here on: its on_start is its first turn. `started` (or null) is told
  /// when it has returned.
  Address launch(const RequestPort& started = {});

 private:
  void give_back();
  SpawnUnderWay under_way_;
  Cell* cell_;
  NoWaiting in_constructor_;
};

template <class T, class... Args>
Address spawn_in(Cell* parent, SystemCore* core, const SpawnOptions* options,
                 const RequestPort& started, Args&&... args) {
  static_assert(fine<decltype(why_not_spawn<T, Args...>())>);
  NewCell cell{parent, core, actor_type<T>, options};
  ::new (cell.where()) T(std::forward<Args>(args)...);
  return cell.launch(started);
}
Address spawn_from(Cell* parent, SystemCore* core, const SpawnOptions& options, const Maker& maker,
                   const RequestPort& started = {});

Cell& context(const ActorBase& actor);
std::optional<Address> child_address(const Cell& self, std::string_view name);
void stop_actor(const Address& actor, const ExitReason& why);
void kill_actor(const Address& actor);
Sent poison_actor(const Address& actor);
/// Of the timer whose tick is handled.
std::uint32_t missed_ticks(Cell& self);
void stop_self(Cell& self, ExitReason why);
void watch_actor(Cell& self, const Address& target);
void unwatch_actor(Cell& self, const Address& target);
MonitorToken monitor_actor(Cell& self, const Address& target, bool incarnations);
void demonitor_actor(Cell& self, MonitorToken token);
void link_actor(Cell& self, const Address& target);
void unlink_actor(Cell& self, const Address& target);
void exit_actor(Cell& self, const Address& target, ExitReason why);
Envelope* new_tick(const MessageType& type);
/// How a repeating timer goes on; copy is null for a timer that fires once.
struct Repeat {
  void (*copy)(void* to, const void* from) = nullptr;
  bool after_completion = false;
};
void start_actor_timer(Cell& self, const TimerKey& key, Duration delay, Envelope* tick,
                       const Repeat& repeat = {});
template <class M>
void copy_message(void* to, const void* from) {
  ::new (to) M(*static_cast<const M*>(from));
}
bool cancel_actor_timer(Cell& self, const TimerKey& key);
/// The message being handled stays with the actor, if this is it.
bool stash_current(Cell& self, const void* message);
/// A copy of the message being handled stays with the actor, in its place.
void stash_copy(Cell& self, Envelope* e);
void unstash_all(Cell& self);
struct StashState {
  std::size_t size;
  std::size_t max;
};
StashState stash_state(const Cell& self) noexcept;
/// The duty to answer goes back to the message being handled.
void return_request(const RequestPort& port);
void set_behavior(Cell& self, std::shared_ptr<Behavior> behavior);
void set_receive_timeout(Cell& self, std::optional<Duration> timeout);
/// The answer of a slot opened by open_slot comes from this actor.
void waits_for(const RequestPort& port, const Address& callee) noexcept;
RequestPort take_request(Cell& self);
void forward_request(const RequestPort& port, const Address& to, RequestEnvelope* e);
RequestEnvelope* new_forwarded(const MessageType& type);
CurrentRequest current_request(Cell& self);
template <class M>
using ForwardedFor = Forwarded<ReplyOf<std::remove_cvref_t<M>>>;

/// Why an actor with these messages may not send a `Given` to itself; void when it may.
template <class Given, class Own>
consteval auto why_not_own() {
  using M = std::remove_cvref_t<Given>;
  if constexpr (!contains<M, Own>) {
    return static_cast<why::the_actor_does_not_accept_this_message_add_it_to_its_list<M>*>(nullptr);
  } else if constexpr (!std::is_constructible_v<M, Given>) {
    return static_cast<why::the_message_is_not_copyable_so_move_it<M>*>(nullptr);
  }
}
template <class M, class Own>
consteval auto why_not_every() {
  if constexpr (!std::is_copy_constructible_v<M>) {
    return static_cast<why::a_repeated_message_must_be_copyable<M>*>(nullptr);
  } else {
    return why_not_own<M, Own>();
  }
}
template <class R, class F, class Own>
consteval auto why_not_pipe() {
  if constexpr (!std::is_invocable_v<F&, Result<R, AskError>>) {
    return static_cast<why::the_function_must_take_the_Result<Result<R, AskError>>*>(nullptr);
  } else {
    return why_not_own<std::invoke_result_t<F&, Result<R, AskError>>, Own>();
  }
}
TimePoint now_of(const Cell& self);
void on_answer(Cell& self, const RequestPort& ask, const MessageType& message, void* function,
               void (*run)(void*, const RequestPort&, Cell&), void (*drop)(void*));
Address address_of(const Cell& self) noexcept;
/// Something to do as the last part of a turn whose handler has returned. If that threw it is
/// destroyed unused.
struct TurnEnd {
  TurnEnd() = default;
  TurnEnd(const TurnEnd&) = delete;
  TurnEnd& operator=(const TurnEnd&) = delete;
  virtual ~TurnEnd() = default;
  virtual void run(Cell& cell) = 0;
};
/// For the running turn, in place of what was set before. Throws UsageError outside of a turn.
void at_turn_end(std::unique_ptr<TurnEnd> end);
Ask<void> stop_and_wait(const Address& actor, Duration deadline);
/// The calling actor waits until somebody outside answers the port that `start` is given; even kill
/// waits for that, and `stop` is told. Throws Cancelled then, and UsageError outside of an actor.
void wait_external(std::stop_source& stop, const std::function<void(RequestPort)>& start);
/// Runs f with the System of this actor, which stays while f runs. False: it is gone. Any thread.
bool with_system_of(const Address& actor, const std::function<void(SystemCore&)>& f);

}  // namespace detail

/// The base of Actor: life cycle and context. Its members may be used from on_start on, on the
/// actor only. Thread safety: everything runs on the actor, one turn at a time.
class ActorBase : public detail::ActorTag {
 public:
  ActorBase() = default;
  ActorBase(const ActorBase&) = delete;
  ActorBase& operator=(const ActorBase&) = delete;
  virtual ~ActorBase() = default;

  /// The first turn of each incarnation, before any message. May await. What it throws is a
  /// failure.
  virtual void on_start() {}
  /// The last turn of each incarnation whose on_start ran, on every way out (S40). What it throws
  /// is logged.
  virtual void on_stop(StopReason /*why*/) {}
  /// What a crash report shows of this actor's state, after its handler has thrown. Keep secrets
  /// out, and what is long short. What it throws is shown in place of it. Must not await.
  [[nodiscard]] virtual std::string describe_state() const { return {}; }

 protected:
  /// Spawns a child: runs the constructor here and returns at once. Throws what the constructor
  /// throws, NameTaken, and UsageError when this actor is ending.
  template <class T, class... Args, class Why = decltype(detail::why_not_spawn<T, Args...>())>
  requires detail::fine<Why> Ref<T> spawn(Args&&... args) {
    return Ref<T>{detail::spawn_in<T>(cell(), nullptr, nullptr, {}, std::forward<Args>(args)...)};
  }
  template <class T, class... Args, class Why = decltype(detail::why_not_spawn<T, Args...>())>
  requires detail::fine<Why> Ref<T> spawn(const SpawnOptions& options, Args&&... args) {
    return Ref<T>{detail::spawn_in<T>(cell(), nullptr, &options, {}, std::forward<Args>(args)...)};
  }
  template <class T, class... Args, class Why = decltype(detail::why_not_spawn<T, Args...>())>
  requires(!detail::fine<Why>) Ref<T> spawn(Args&&... args)
  = delete;
  template <class T, class... Args, class Why = decltype(detail::why_not_spawn<T, Args...>())>
  requires(!detail::fine<Why>) Ref<T> spawn(const SpawnOptions& options, Args&&... args)
  = delete;
  /// Spawns a child of a factory.
  template <class... Ps>
  Ref<Ps...> spawn(const Factory<Ps...>& factory, const SpawnOptions& options = {}) {
    return Ref<Ps...>{detail::spawn_from(cell(), nullptr, options, *factory.maker())};
  }
  /// Spawns a child and waits for its on_start. Throws also StartFailed.
  template <class T, class... Args, class Why = decltype(detail::why_not_spawn<T, Args...>())>
  requires detail::fine<Why> Ref<T> start(const SpawnOptions& options, Args&&... args) {
    const detail::RequestPort port =
        detail::open_slot({}, default_timeout, detail::reply_destroyer<void>());
    Ask<void> started{port};
    const Ref<T> child{
        detail::spawn_in<T>(cell(), nullptr, &options, port, std::forward<Args>(args)...)};
    detail::waits_for(port, child.address());
    if (auto result = started.try_await(); !result) {
      stop(child);
      throw StartFailed(result.error().what);
    }
    return child;
  }
  template <class T, class... Args, class Why = decltype(detail::why_not_spawn<T, Args...>())>
  requires(!detail::fine<Why>) Ref<T> start(const SpawnOptions& options, Args&&... args)
  = delete;

  /// The child of this name, if it takes all messages of P: also one that an earlier incarnation of
  /// this actor spawned (SpawnOptions::stop_children). Throws UsageError in the constructor.
  template <class P>
  [[nodiscard]] Result<Ref<P>, FindError> find_child(std::string_view name) {
    return detail::ref_to_found<P>(detail::child_address(*cell(), name));
  }

  /// Ends this actor after the current message, as `normal`.
  void stop() { detail::stop_self(*cell(), ExitReason::normal()); }
  /// Ends this actor after the current message with this reason.
  void stop(ExitReason why) { detail::stop_self(*cell(), std::move(why)); }
  /// Asks another actor to end: after its current message, its waiting mail becomes dead letters.
  void stop(const Ref<>& other) { detail::stop_actor(other.address(), ExitReason::shutdown()); }
  /// Has another actor end behind the mail that it has now, which it handles first (S46). A
  /// signal: no bound of its mailbox is for it.
  Sent poison(const Ref<>& other) { return detail::poison_actor(other.address()); }
  /// Ends another actor at once: its await is cancelled. Can't be trapped.
  void kill(const Ref<>& other) { detail::kill_actor(other.address()); }

  /// One Terminated when `other` has ended, however often this is called (S50). Unhandled, it ends
  /// this actor (S54).
  void watch(const Ref<>& other) { detail::watch_actor(*cell(), other.address()); }
  /// No Terminated of `other` is processed any more, even if it waits already (S52).
  void unwatch(const Ref<>& other) { detail::unwatch_actor(*cell(), other.address()); }
  /// One Down per token (S53).
  MonitorToken monitor(const Ref<>& other) {
    return detail::monitor_actor(*cell(), other.address(), false);
  }
  MonitorToken monitor(const Ref<>& other, EachIncarnation) {
    return detail::monitor_actor(*cell(), other.address(), true);
  }
  void demonitor(MonitorToken token) { detail::demonitor_actor(*cell(), token); }
  /// Ties both: if one ends abnormally, the other gets an exit signal. Repeating it changes nothing
  /// (S58).
  void link(const Ref<>& other) { detail::link_actor(*cell(), other.address()); }
  void unlink(const Ref<>& other) { detail::unlink_actor(*cell(), other.address()); }
  /// Sends an exit signal as if a linked actor had ended with this reason; `killed` can't be
  /// trapped (S59).
  void exit(const Ref<>& other, ExitReason why) {
    detail::exit_actor(*cell(), other.address(), std::move(why));
  }

  /// Hands the request being handled to `to`, which answers the asker; the deadline stays.
  template <class... Ps, class M, class Why = decltype(detail::why_not_ask<M, Ps...>())>
  requires detail::fine<Why> detail::ForwardedFor<M> forward(const Ref<Ps...>& to, M&& m) {
    using D = std::remove_cvref_t<M>;
    detail::EnvelopeGuard<detail::RequestEnvelope> e{
        detail::new_forwarded(detail::message_type<D>)};
    ::new (detail::payload(*e)) D(std::forward<M>(m));
    detail::forward_request(detail::take_request(*cell()), to.address(), e.release());
    return {};
  }
  template <class... Ps, class M, class Why = decltype(detail::why_not_ask<M, Ps...>())>
  requires(!detail::fine<Why>) detail::ForwardedFor<M> forward(const Ref<Ps...>& to, M&& m)
  = delete;

  /// Keeps the message being handled, with the duty to answer it, until unstash_all. In the handler
  /// of a request: `return stash(m);`, with Forwarded as its type. Throws StashOverflow when the
  /// stash is full (S26), and UsageError when the message was stashed already (S29).
  template <class M>
  Forwarded<ReplyOf<std::remove_cvref_t<M>>> stash(M&& m) {
    using D = std::remove_cvref_t<M>;
    if (detail::stash_current(*cell(), &m)) return {};
    if constexpr (Request<D>) {
      detail::EnvelopeGuard<detail::RequestEnvelope> e{
          detail::new_forwarded(detail::message_type<D>)};
      ::new (detail::payload(*e)) D(std::forward<M>(m));
      detail::stash_copy(*cell(), e.release());
    } else {
      detail::stash_copy(*cell(), detail::envelop(std::forward<M>(m)));
    }
    return {};
  }
  /// The same in a handler that has taken the duty to answer.
  template <class M, class R>
  void stash(M&& m, ReplyTo<R> reply) {
    detail::return_request(reply.release());
    stash(std::forward<M>(m));
  }
  /// Stashed messages are handled next, in the order they were stashed, before what waits in the
  /// mailbox (S27). What is stashed meanwhile stays for the next time (S28).
  void unstash_all() { detail::unstash_all(*cell()); }
  [[nodiscard]] std::size_t stash_size() const { return detail::stash_state(*cell()).size; }
  [[nodiscard]] bool stash_is_full() const {
    const auto state = detail::stash_state(*cell());
    return state.size >= state.max;
  }
  /// Back to the class's own handlers, from the next message on.
  void unbecome() { detail::set_behavior(*cell(), nullptr); }
  /// A ReceiveTimeout signal each time nothing has come for so long; none: no more. Messages of a
  /// type with `influences_receive_timeout = false` don't count (S36). Throws UsageError when the
  /// class has no handler for ReceiveTimeout.
  void set_receive_timeout(std::optional<Duration> timeout) {
    detail::set_receive_timeout(*cell(), timeout);
  }

  /// In the handler of a repeating timer's tick: the periods before it that brought none, because
  /// a tick waited already or was handled (S32). Elsewhere 0.
  [[nodiscard]] std::uint32_t missed_ticks() const { return detail::missed_ticks(*cell()); }
  /// Stops the timer `key`; false when there was none. A tick that waits already is not delivered
  /// (S32).
  bool cancel_timer(const TimerKey& key) { return detail::cancel_actor_timer(*cell(), key); }

  [[nodiscard]] ActorLog log() const { return ActorLog{*cell()}; }
  [[nodiscard]] TimePoint now() const { return detail::now_of(*cell()); }
  [[nodiscard]] CurrentRequest request() const { return detail::current_request(*cell()); }

  [[nodiscard]] detail::Cell* cell() const { return &detail::context(*this); }

 private:
  friend struct detail::Cell;
  friend class detail::NewCell;
  friend detail::Cell& detail::context(const ActorBase&);
  detail::Cell* cell_ = nullptr;
};

/// Base of actor classes: `class Account : public troupe::Actor<Deposit, GetBalance>`. `Ms` are
/// messages, protocols and at most one `Private<...>`. The class has one public `receive` per
/// message (API.md 2). Thread safety: as ActorBase.
template <class... Ms>
class Actor : public ActorBase {
 public:
  using troupe_public_messages = detail::PublicMessages<Ms...>;
  using troupe_private_messages = detail::PrivateMessages<Ms...>;

 protected:
  template <class List>
  struct RefTo;
  template <class... As>
  struct RefTo<detail::TypeList<As...>> {
    using type = Ref<As...>;
  };
  using troupe_own_messages =
      typename detail::Concat<troupe_public_messages, troupe_private_messages>::type;

  /// A ref to this actor that also takes its private messages.
  [[nodiscard]] auto self() const {
    return typename RefTo<troupe_own_messages>::type{detail::address_of(*cell())};
  }

  /// From the next message on these lambdas handle this actor's messages and signals, in place of
  /// its `receive`s: each message of its list, or `otherwise_...` at the end says what happens to
  /// the rest. They may capture `this`. Lasts until become or unbecome, or the incarnation's end.
  template <class... Fs, class Why = decltype(detail::why_not_become<std::decay_t<Fs>...>(
                             troupe_own_messages{}))>
  requires detail::fine<Why>
  void become(Fs&&... handlers) {
    detail::set_behavior(*cell(),
                         detail::make_behavior<std::decay_t<Fs>...>(std::forward<Fs>(handlers)...));
  }
  template <class... Fs, class Why = decltype(detail::why_not_become<std::decay_t<Fs>...>(
                             troupe_own_messages{}))>
  requires(!detail::fine<Why>) void become(Fs&&... handlers) = delete;

  /// Sends m to this actor after `delay`, once. Starting a key cancels the timer that had it (S32).
  template <class M, class Why = decltype(detail::why_not_own<M, troupe_own_messages>())>
  requires detail::fine<Why>
  void start_timer(const TimerKey& key, Duration delay, M&& m) {
    detail::start_actor_timer(*cell(), key, delay, make_tick(std::forward<M>(m)));
  }
  template <class M, class Why = decltype(detail::why_not_own<M, troupe_own_messages>())>
  requires(!detail::fine<Why>) void start_timer(const TimerKey& key, Duration delay,
                                                M&& m) = delete;
  /// Sends copies of m to this actor, the first after `period` and then one each `period` (fixed
  /// rate). One tick at most waits in the mailbox, and in an actor that is reentrant none comes
  /// while the last is handled; periods missed meanwhile are not made up for (S35).
  template <class M, class Why = decltype(detail::why_not_every<M, troupe_own_messages>())>
  requires detail::fine<Why>
  void every(const TimerKey& key, Duration period, const M& m) {
    detail::start_actor_timer(*cell(), key, period, make_tick(M(m)), {&detail::copy_message<M>});
  }
  /// The same with a fixed delay: the next period begins when the handler of a tick has ended
  /// (S35).
  template <class M, class Why = decltype(detail::why_not_every<M, troupe_own_messages>())>
  requires detail::fine<Why>
  void every(const TimerKey& key, Duration period, const M& m, AfterCompletion) {
    detail::start_actor_timer(*cell(), key, period, make_tick(M(m)),
                              {&detail::copy_message<M>, true});
  }
  template <class M, class Why = decltype(detail::why_not_every<M, troupe_own_messages>())>
  requires(!detail::fine<Why>) void every(const TimerKey& key, Duration period, const M& m,
                                          AfterCompletion) = delete;
  template <class M, class Why = decltype(detail::why_not_every<M, troupe_own_messages>())>
  requires(!detail::fine<Why>) void every(const TimerKey& key, Duration period,
                                          const M& m) = delete;
  /// When the answer has come, `f(Result<R, AskError>)` makes a message of it for this actor. `f`
  /// may run on any thread and must own what it captures: never `this`.
  template <class R, class F,
            class Why = decltype(detail::why_not_pipe<R, F, troupe_own_messages>())>
  requires detail::fine<Why>
  void pipe_to_self(Ask<R> ask, F f) {
    using M = std::invoke_result_t<F&, Result<R, AskError>>;
    struct Pipe {
      F function;
      static void run(void* pipe, const detail::RequestPort& port, detail::Cell& self) {
        Ask<R> answer{port};
        auto result = answer.try_await();  // it is over: this does not wait
        detail::send(detail::address_of(self),
                     detail::envelop(static_cast<Pipe*>(pipe)->function(std::move(result))));
      }
      static void drop(void* pipe) { delete static_cast<Pipe*>(pipe); }
    };
    detail::on_answer(*cell(), ask.release(), detail::message_type<M>, new Pipe{std::move(f)},
                      &Pipe::run, &Pipe::drop);
  }
  template <class R, class F,
            class Why = decltype(detail::why_not_pipe<R, F, troupe_own_messages>())>
  requires(!detail::fine<Why>) void pipe_to_self(Ask<R> ask, F f) = delete;

 private:
  template <class M>
  static detail::Envelope* make_tick(M&& m) {
    using D = std::remove_cvref_t<M>;
    detail::EnvelopeGuard<detail::Envelope> e{detail::new_tick(detail::message_type<D>)};
    ::new (detail::payload(*e)) D(std::forward<M>(m));
    return e.release();
  }
};

/// T can be spawned. `static_assert(troupe::ValidActor<T>)` hears of mistakes at the class.
template <class T>
concept ValidActor = detail::fine<decltype(detail::why_not_actor<T>())>;

}  // namespace troupe
