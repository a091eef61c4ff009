// Supervisor<Ms...>: an actor that starts children, restarts them when they fail, and gives up when
// that happens too often.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <troupe/runtime/factory.hpp>
#include <troupe/supervision/child_spec.hpp>
#include <troupe/supervision/decider.hpp>
#include <troupe/supervision/restart_window.hpp>

namespace troupe {

/// Which children are restarted when one is (S61).
enum class Strategy : unsigned char {
  one_for_one,   ///< the one
  one_for_all,   ///< all: the others are stopped in reverse order, then all are started in order
  rest_for_one,  ///< it and those started after it
  dynamic,       ///< the one; children of one kind, come and gone at run time, stopped in parallel
                 ///< (simple_one_for_one)
};
inline constexpr Strategy one_for_one = Strategy::one_for_one;
inline constexpr Strategy one_for_all = Strategy::one_for_all;
inline constexpr Strategy rest_for_one = Strategy::rest_for_one;
inline constexpr Strategy dynamic = Strategy::dynamic;

/// How a supervisor supervises. The defaults are OTP's.
struct SupervisorOptions {
  Strategy strategy = one_for_one;
  std::uint32_t restarts_max =
      1;  ///< in any span of `within`; one more and the supervisor gives up (S63)
  Duration within = std::chrono::seconds(5);
  AutoShutdown auto_shutdown = AutoShutdown::never;
  std::optional<Backoff> backoff =
      {};                ///< of children that have none of their own; none: restart at once
  Decider decider = {};  ///< what to do by type of failure; default: restart
};

namespace detail {

using AdminResult = Result<Ref<>, ChildProblem>;
using AdminReply = std::shared_ptr<ReplyTo<AdminResult>>;

/// Where a supervised child stands.
enum class ChildState : std::uint8_t {
  starting,  ///< spawned, on_start under way
  running,
  backing_off,  ///< held, waits for its time
  held,         ///< held, waits for its turn in a group restart
  restarting,   ///< the verdict is given, on_start under way
  halting,      ///< asked to end
  leaving,      ///< released, about to be gone
  stopped,      ///< gone; the spec is kept
};
inline constexpr std::size_t child_states = 8;
/// A child, as its supervisor sees it.
struct SupervisedChild {
  ChildSpec spec;
  std::shared_ptr<const Maker> maker;
  Ref<> ref;  ///< empty where there is no actor: it has stopped, or was abandoned
  ChildState state = ChildState::starting;
  std::list<SupervisedChild>::iterator at;  ///< itself
  std::uint64_t number = 0;                 ///< names it to timers
  std::uint64_t ends = 0;                   ///< how often it has ended, or failed to start
  std::uint32_t restarts_in_row = 0;
  TimePoint last_failure = TimePoint::min();
  TimePoint start_deadline = TimePoint::max();
  bool start_timer_runs = false;
  bool mail_is_limited = false;  ///< it backed off before it was taken along
  bool by_hand = false;          ///< terminated by hand: no restart, no auto-shutdown (S70)
  bool erase = false;            ///< no spec is kept
  std::vector<AdminReply> end_waiters;
  AdminReply start_waiter;
  std::optional<ExitReason> spawn_failure;  ///< in place of an abandoned actor
};

/// The supervisor's part that does not depend on its messages.
///
/// Design. Children are held (OnEnd::hold), so each end is an Ended, and what follows is this
/// class's verdict. Everything is driven by events, which come as commands: the supervisor awaits
/// nothing but in start_child, and so answers and takes further failures at any time (S71). A group
/// restart (one_for_all, rest_for_one) is a list of children to halt, last first, then a list to
/// restart, first first; other children's ends queue until it is done.
///
/// A child that was abandoned (S66) is gone without an Ended, at any time. It counts as killed from
/// then on; where there would be a verdict a new actor is spawned, or it is gone.
class SupervisorBase : public ChildObserver {
 public:
  /// Throws UsageError when the options contradict themselves.
  explicit SupervisorBase(SupervisorOptions options);
  SupervisorBase(const SupervisorBase&) = delete;
  SupervisorBase& operator=(const SupervisorBase&) = delete;

  /// Starts a child and waits for its on_start. Throws StartFailed and ChildRefused.
  Ref<> add_child(ChildSpec spec, std::shared_ptr<const Maker> maker);

  // Administration, as commands.
  void start_by_hand(ChildSpec spec, std::shared_ptr<const Maker> maker, AdminReply reply);
  void terminate_by_hand(const std::string& id, const AdminReply& reply);
  void terminate_by_hand(const Ref<>& ref, const AdminReply& reply);
  void restart_by_hand(const std::string& id, const AdminReply& reply);
  void delete_by_hand(const std::string& id, const AdminReply& reply);
  [[nodiscard]] std::vector<ChildInfo> list_children() const;
  [[nodiscard]] ChildCounts count_all() const;

  void child_ended(const Ended& ended) final;
  void child_gone(const Ref<>& child, const ExitReason& why) final;
  void child_started(const Ref<>& child) final;
  void child_rebuilt(const Ref<>& child) final;
  void control_timer_due(std::uint64_t token) final;
  void actor_resumed() final;
  void stop_children() final;

 protected:
  ~SupervisorBase() = default;
  virtual void stop_supervisor(ExitReason why) = 0;
  /// A child's ref takes messages from now on, or never again.
  virtual void child_is_here(const Ref<>& /*child*/) {}
  virtual void child_has_left(const Ref<>& /*child*/) {}
  [[nodiscard]] virtual TimePoint supervisor_now() const = 0;

 private:
  struct Group {
    std::vector<SupervisedChild*> to_halt;  ///< the next at the back
    std::deque<SupervisedChild*> to_start;
    SupervisedChild* current = nullptr;  ///< whose event is awaited
  };
  SupervisedChild& new_child(ChildSpec spec, std::shared_ptr<const Maker> maker,
                             Ask<void>* started);
  void spawn_child(SupervisedChild& child, Ask<void>* started);
  [[nodiscard]] std::optional<ChildRefused> why_refused(const ChildSpec& spec) const;
  void terminate_by_hand(SupervisedChild* child, const AdminReply& reply);
  [[nodiscard]] SupervisedChild* find(const Ref<>& ref);
  [[nodiscard]] SupervisedChild* find(const std::string& id);
  void ended(SupervisedChild& child, const Ended& ended);
  void decide(SupervisedChild& child, const Ended& ended);
  void restart_or_give_up(SupervisedChild& child, const ExitReason& why);
  bool count_restart(const SupervisedChild& child, const ExitReason& why);
  SupervisedChild* find_held(std::uint64_t number, std::uint64_t end);
  void retry(std::uint64_t number, std::uint64_t end, const Ended& ended);
  void restart_now(SupervisedChild& child);
  void restart_child_now(SupervisedChild& child);
  void spawn_anew(SupervisedChild& child);
  void look_after_abandoned(std::uint64_t number);
  void gone(SupervisedChild& child);
  void give_back(SupervisedChild& child);
  void limit_start(SupervisedChild& child);
  void start_timer_due(SupervisedChild& child);
  void set(SupervisedChild& child, ChildState state);
  [[nodiscard]] std::uint32_t count(ChildState state) const noexcept {
    return in_state_[static_cast<std::size_t>(state)];
  }
  void halt_next();
  void start_next();
  void leave(SupervisedChild& child);
  void halt(SupervisedChild& child);
  void check_auto_shutdown(const SupervisedChild& child);
  void stop_next();
  void give_up(const std::string& why);
  void end_group();
  void go_on();
  void forget(SupervisedChild& child);

  SupervisorOptions options_;
  RestartWindow window_;
  std::list<SupervisedChild> children_;  ///< in the order they were started
  std::unordered_map<std::uint32_t, std::list<SupervisedChild>::iterator> by_serial_;
  std::unordered_map<std::string, std::list<SupervisedChild>::iterator> by_id_;
  std::unordered_map<std::uint64_t, SupervisedChild*> by_number_;
  std::array<std::uint32_t, child_states> in_state_{};  ///< children by ChildState
  std::uint64_t numbers_ = 0;
  std::optional<Group> group_;
  std::deque<std::function<void()>> queued_;
  bool shutting_down_ = false;
  bool gave_up_ = false;
  std::string gives_up_when_resumed_;
};

}  // namespace detail

/// An actor with children it supervises, and messages of its own. Derive from it, start the
/// children in on_start, which runs again when this supervisor is itself restarted. A restarted
/// child keeps its ref. Thread safety: as Actor.
template <class... Ms>
class Supervisor : public Actor<Ms...>, public detail::SupervisorBase {
 public:
  /// Throws UsageError when the options contradict themselves.
  explicit Supervisor(SupervisorOptions options = {})
      : detail::SupervisorBase(std::move(options)) {}

 protected:
  /// Starts a child and waits for its on_start; keeps copies of the arguments to build the next
  /// incarnation. Throws StartFailed, and ChildRefused (a StartFailed) when the spec is the
  /// problem.
  template <class T, class... Args, class Why = decltype(detail::why_not_factory<T, Args...>())>
  requires detail::fine<Why> Ref<T> start_child(ChildSpec spec, Args&&... args) {
    return Ref<T>{
        add_child(std::move(spec), detail::make_maker<T>(std::forward<Args>(args)...)).address()};
  }
  template <class T, class... Args, class Why = decltype(detail::why_not_factory<T, Args...>())>
  requires(!detail::fine<Why>) Ref<T> start_child(ChildSpec spec, Args&&... args)
  = delete;  // `Why` says what is wrong
  template <class... Ps>
  Ref<Ps...> start_child(ChildSpec spec, const Factory<Ps...>& factory) {
    return Ref<Ps...>{add_child(std::move(spec), factory.maker()).address()};
  }
  [[nodiscard]] std::vector<ChildInfo> which_children() const { return this->list_children(); }
  [[nodiscard]] ChildCounts count_children() const { return this->count_all(); }

 private:
  void stop_supervisor(ExitReason why) final { this->stop(std::move(why)); }
  [[nodiscard]] TimePoint supervisor_now() const final { return this->now(); }
};

// Administration of a running supervisor, from anywhere. Served ahead of its mail and while it
// waits. The asks fail with `refused` when the actor is no supervisor.

[[nodiscard]] Ask<std::vector<ChildInfo>> which_children(const Ref<>& supervisor);
[[nodiscard]] Ask<ChildCounts> count_children(const Ref<>& supervisor);
/// Starts a further child; lost when the supervisor itself is restarted (S68). Answers with its
/// ref.
[[nodiscard]] Ask<detail::AdminResult> start_child_of(const Ref<>& supervisor, ChildSpec spec,
                                                      std::shared_ptr<const detail::Maker> maker);
template <class... Ps>
[[nodiscard]] Ask<detail::AdminResult> start_child(const Ref<>& supervisor, ChildSpec spec,
                                                   const Factory<Ps...>& factory) {
  return start_child_of(supervisor, std::move(spec), factory.maker());
}
/// Stops a child and keeps its spec (but a temporary one's). Answers, with an empty ref, when it is
/// gone; at once when it did not run.
[[nodiscard]] Ask<detail::AdminResult> terminate_child(const Ref<>& supervisor,
                                                       const std::string& id);
[[nodiscard]] Ask<detail::AdminResult> terminate_child(const Ref<>& supervisor, const Ref<>& child);
/// Starts a child again that is known and does not run. Answers with its ref.
[[nodiscard]] Ask<detail::AdminResult> restart_child(const Ref<>& supervisor,
                                                     const std::string& id);
/// Forgets the spec of a child that does not run.
[[nodiscard]] Ask<detail::AdminResult> delete_child(const Ref<>& supervisor, const std::string& id);

}  // namespace troupe
