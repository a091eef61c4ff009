// StateMachine<Ms...>: an actor whose states are classes (OTP's gen_statem).
#pragma once

#include <deque>
#include <memory>
#include <utility>

#include <troupe/runtime/actor.hpp>

namespace troupe {

/// To a state that asked for it by state_timeout(): it has lasted so long.
struct StateTimeout {};
/// To a state that asked for it by event_timeout(): nothing has come for so long.
struct EventTimeout {};

template <class Machine>
class State;

namespace detail {

template <class S>
concept EntersState = requires(S& s) {
  s.on_enter();
};
template <class S>
concept ExitsState = requires(S& s) {
  s.on_exit();
};
template <class S>
concept DeclaresOtherwise = requires {
  S::otherwise;
};
template <class S>
consteval Otherwise otherwise_of() {
  if constexpr (DeclaresOtherwise<S>) {
    return S::otherwise.value;
  } else {
    return Otherwise::none;
  }
}

template <class M>
inline constexpr bool is_timeout =
    std::is_same_v<M, StateTimeout> || std::is_same_v<M, EventTimeout>;
struct AnyStateTag {};
template <class S>
concept IsState = std::is_base_of_v<AnyStateTag, S>;

template <class S, class List>
struct FirstUnfit;
template <class S>
struct FirstUnfit<S, TypeList<>> {
  using type = void;
};
template <class S, class M>
consteval auto why_state_does_not_take() {
  if constexpr (handler_count < S, M >> 0 || HasConvertingHandler<S, M>) {
    return why_no_handler<S, M>();
  } else if constexpr (otherwise_of<S>() == Otherwise::none && !is_timeout<M>) {
    return static_cast<why::this_behavior_leaves_out_a_message_add_a_handler_or_an_otherwise<M>*>(
        nullptr);
  }
}
template <class S, class M, class... Ms>
struct FirstUnfit<S, TypeList<M, Ms...>> {
  using Why = decltype(why_state_does_not_take<S, M>());
  using type = typename std::conditional_t<std::is_void_v<Why>, FirstUnfit<S, TypeList<Ms...>>,
                                           std::type_identity<Why>>::type;
};

/// Why S, made of these arguments, is no state of a machine with these messages; void when it is.
template <class S, class List, class... Args>
consteval auto why_not_state() {
  if constexpr (!Complete<S>) {
    return static_cast<why::include_the_definition_of_this_incomplete_type<S>*>(nullptr);
  } else if constexpr (!IsState<S>) {
    return static_cast<why::a_state_derives_from_troupe_State_of_its_machine<S>*>(nullptr);
  } else {
    using Unfit = typename FirstUnfit<S, List>::type;
    if constexpr (!std::is_void_v<Unfit>) {
      return Unfit{};
    } else if constexpr (!std::is_constructible_v<S, Args...>) {
      return static_cast<why::no_constructor_takes<Args...>*>(nullptr);
    }
  }
}

/// A state in force: its class's handlers as a behavior.
class StateBehavior : public Behavior {
 public:
  virtual void enter() = 0;
  virtual void exit() = 0;
  bool takes_state_timeout = false;
  bool takes_event_timeout = false;
};

/// What a machine does that does not depend on its messages.
/// Thread safety: on its actor.
class StateMachineBase {
 public:
  explicit StateMachineBase() = default;
  StateMachineBase(const StateMachineBase&) = delete;
  StateMachineBase& operator=(const StateMachineBase&) = delete;

  /// Any event ends the wait for one.
  void event_comes(Cell& cell);
  /// `state` is entered when the running handler has returned.
  void set_next_state(std::shared_ptr<StateBehavior> state);
  void change_state(Cell& cell, std::shared_ptr<StateBehavior> state);
  /// Throws UsageError when the state has no handler for it.
  void check_state_timeout() const;
  void check_event_timeout() const;

 protected:
  ~StateMachineBase() = default;

  bool waits_for_event_ = false;

 private:
  StateBehavior* state_ = nullptr;  ///< the behavior in force; the runtime ends it before the actor
  std::deque<std::shared_ptr<StateBehavior>>
      next_;  ///< while a change waits in on_exit or on_enter
  bool is_changing_ = false;
};
const TimerKey& state_timeout_key();
const TimerKey& event_timeout_key();
template <class S, class Machine, class List>
class StateBehaviorOf;
template <class S, class Machine, class... Ms>
class StateBehaviorOf<S, Machine, TypeList<Ms...>> final : public StateBehavior {
 public:
  template <class... Args>
  StateBehaviorOf(typename S::troupe_machine_class& actor, Machine& machine, Args&&... args)
      : state_(std::forward<Args>(args)...), machine_(machine) {
    static_cast<State<typename S::troupe_machine_class>&>(state_).machine_ = &actor;
    using Handled = typename Concat<
        std::conditional_t<HasOneHandler<S, Ms> && !is_timeout<Ms>, TypeList<Ms>, TypeList<>>...,
        TypeList<StateTimeout, EventTimeout>, HandledSignals<S, Terminated, Down, Exit>>::type;
    takes_state_timeout = HasOneHandler<S, StateTimeout>;
    takes_event_timeout = HasOneHandler<S, EventTimeout>;
    entries = table(Handled{});
    otherwise = otherwise_of<S>();
  }
  void enter() override {
    if constexpr (EntersState<S>) state_.on_enter();
  }
  void exit() override {
    if constexpr (ExitsState<S>) state_.on_exit();
  }
  void not_handled() override { machine_.event_comes(*machine_.cell()); }

 private:
  template <class... Hs>
  const BehaviorEntry* table(TypeList<Hs...>) {
    static constexpr BehaviorEntry of[sizeof...(Hs) + 1] = {{&message_type<Hs>, &call<Hs>}...,
                                                            {nullptr, nullptr}};
    count = sizeof...(Hs);
    return of;
  }
  template <class M>
  static void call(Behavior& behavior, Envelope& envelope, Turn& turn) {
    auto& self = static_cast<StateBehaviorOf&>(behavior);
    self.machine_.event_comes(*self.machine_.cell());
    if constexpr (HasOneHandler<S, M>) {
      call_handler<S, M>(self.state_, envelope, turn);
    }  // a timeout that a state before asked for: not for this one
  }

  S state_;
  Machine& machine_;
};

/// Takes what no state takes: messages that come while there is no state, or that a state leaves to
/// the machine's own handlers where the machine has none.
template <class M>
class NoStateHandler {
 public:
  std::conditional_t<Request<M>, ReplyOf<M>, void> receive(const M&) {
    refuse("the state machine is in no state that takes it");
  }
};
template <class List>
class NoStateHandlers;
template <class... Ms>
class NoStateHandlers<TypeList<Ms...>> : public NoStateHandler<Ms>... {
 public:
  using NoStateHandler<Ms>::receive...;
};

template <class... Ms>
using MachineActor = Actor<Ms..., Private<StateTimeout, EventTimeout>>;
template <class... Ms>
using MachineMessages =
    typename Concat<typename MachineActor<Ms...>::troupe_public_messages,
                    typename MachineActor<Ms...>::troupe_private_messages>::type;

}  // namespace detail

/// An actor whose states are classes with handlers of their own, each derived from `State` of the
/// machine. `on_start` names the first state by `go_to`. Each state handles every message, or its
/// `static constexpr auto otherwise = troupe::otherwise_stash;` (or another) says what happens to
/// the rest. What all states share is a common base of theirs; or handlers of the machine itself
/// (with `using StateMachine::receive;`), for states with `otherwise_receive`. Thread safety: as
/// Actor.
template <class... Ms>
class StateMachine : public detail::MachineActor<Ms...>,
                     public detail::NoStateHandlers<detail::MachineMessages<Ms...>>,
                     private detail::StateMachineBase {
 public:
  using detail::NoStateHandlers<detail::MachineMessages<Ms...>>::receive;
  using troupe_machine = StateMachine;
  using troupe_machine_messages = detail::MachineMessages<Ms...>;

 protected:
  /// Makes S of these arguments; it is entered when the running handler has returned: the old
  /// state's on_exit, then S's on_enter, then what was stashed, in the order it came (S30). A state
  /// timeout ends with its state. Going to a state's own class is a change like any other. Throws
  /// what the constructor throws; a handler that throws after it changes nothing.
  template <class S, class... Args,
            class Why = decltype(detail::why_not_state<S, troupe_machine_messages, Args...>())>
  requires detail::fine<Why>
  void go_to(Args&&... args) {
    auto& machine = static_cast<typename S::troupe_machine_class&>(*this);
    set_next_state(
        std::make_shared<detail::StateBehaviorOf<S, StateMachine, troupe_machine_messages>>(
            machine, *this, std::forward<Args>(args)...));
  }
  template <class S, class... Args,
            class Why = decltype(detail::why_not_state<S, troupe_machine_messages, Args...>())>
  requires(!detail::fine<Why>) void go_to(Args&&... args) = delete;

 private:
  using detail::MachineActor<Ms...>::become;  // its states are its behaviors
  using detail::MachineActor<Ms...>::unbecome;
  template <class Machine>
  friend class State;
  template <class S, class Machine, class List>
  friend class detail::StateBehaviorOf;
};

/// Base of a state of `Machine`. It may have `on_enter` and `on_exit`, which may wait, and handles
/// StateTimeout and EventTimeout when it asks for them. Its object lives while the machine is in
/// it. Thread safety: on its actor.
template <class Machine>
class State : public detail::AnyStateTag {
 public:
  using troupe_machine_class = Machine;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;

 protected:
  ~State() = default;

  /// The actor; from on_enter on.
  [[nodiscard]] Machine& machine() const {
    if (machine_ == nullptr) {
      throw UsageError("the machine may be used from on_enter on, not in a state's constructor");
    }
    return *machine_;
  }
  /// See StateMachine::go_to.
  template <class S, class... Args, class M = Machine,
            class Why =
                decltype(detail::why_not_state<S, typename M::troupe_machine_messages, Args...>())>
  requires detail::fine<Why>
  void go_to(Args&&... args) { base().template go_to<S>(std::forward<Args>(args)...); }
  template <class S, class... Args, class M = Machine,
            class Why =
                decltype(detail::why_not_state<S, typename M::troupe_machine_messages, Args...>())>
  requires(!detail::fine<Why>) void go_to(Args&&... args) = delete;
  /// Keeps the message being handled until the state changes (S30). As Actor's stash otherwise.
  template <class M>
  detail::ForwardedFor<M> postpone(M&& m) {
    return base().stash(std::forward<M>(m));
  }
  template <class M, class R>
  void postpone(M&& m, ReplyTo<R> reply) {
    base().stash(std::forward<M>(m), std::move(reply));
  }
  /// A StateTimeout when this state has lasted so long from now. A further call sets it anew.
  /// Zero: behind what is in the mailbox already, and before what comes later (S37). Throws
  /// UsageError when this state has no handler for it.
  void state_timeout(Duration after) {
    base().check_state_timeout();
    base().start_timer(detail::state_timeout_key(), after, StateTimeout{});
  }
  void cancel_state_timeout() { base().cancel_timer(detail::state_timeout_key()); }
  /// An EventTimeout when no event has come for so long from now; any message or timer ends the
  /// wait. Lasts over a change of state.
  void event_timeout(Duration after) {
    base().check_event_timeout();
    base().start_timer(detail::event_timeout_key(), after, EventTimeout{});
    base().waits_for_event_ = true;
  }

 private:
  template <class S, class M, class List>
  friend class detail::StateBehaviorOf;
  [[nodiscard]] auto& base() const {
    return static_cast<typename Machine::troupe_machine&>(machine());
  }
  Machine* machine_ = nullptr;
};

}  // namespace troupe
