// System: owns the scheduler, the actors and their end.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <troupe/runtime/actor.hpp>
#include <troupe/runtime/factory.hpp>
#include <troupe/runtime/introspection.hpp>
#include <troupe/runtime/options.hpp>

namespace troupe {

namespace detail {
class SystemCore;
std::string why(const Address& actor);
}  // namespace detail

/// An actor system. Touches no signal and no thread but its own. Its destructor is the coordinated
/// shutdown; refs that outlive it answer "closed". Thread safety: any thread, except construction
/// and destruction; not from the System's own threads: destruction, shutdown, run_until_signal.
class System {
 public:
  System();
  /// Throws std::system_error when threads can't be started and UsageError on options that
  /// contradict each other.
  explicit System(SystemOptions options);
  System(const System&) = delete;
  System& operator=(const System&) = delete;
  ~System();

  /// Spawns a top-level actor: runs the constructor on this thread and returns at once. Throws what
  /// the constructor throws, NameTaken, and UsageError when the System is shutting down.
  template <class T, class... Args, class Why = decltype(detail::why_not_spawn<T, Args...>())>
  requires detail::fine<Why> Ref<T> spawn(Args&&... args) {
    return Ref<T>{
        detail::spawn_in<T>(nullptr, core_.get(), nullptr, {}, std::forward<Args>(args)...)};
  }
  template <class T, class... Args, class Why = decltype(detail::why_not_spawn<T, Args...>())>
  requires detail::fine<Why> Ref<T> spawn(const SpawnOptions& options, Args&&... args) {
    return Ref<T>{
        detail::spawn_in<T>(nullptr, core_.get(), &options, {}, std::forward<Args>(args)...)};
  }
  template <class T, class... Args, class Why = decltype(detail::why_not_spawn<T, Args...>())>
  requires(!detail::fine<Why>) Ref<T> spawn(Args&&... args)
  = delete;  // `Why` says what is wrong
  template <class T, class... Args, class Why = decltype(detail::why_not_spawn<T, Args...>())>
  requires(!detail::fine<Why>) Ref<T> spawn(const SpawnOptions& options, Args&&... args)
  = delete;
  template <class... Ps>
  Ref<Ps...> spawn(const Factory<Ps...>& factory, const SpawnOptions& options = {}) {
    return Ref<Ps...>{detail::spawn_from(nullptr, core_.get(), options, *factory.maker())};
  }

  /// The actor of this path ("/orders/processor-1"), if it takes all messages of P.
  template <class P>
  Result<Ref<P>, FindError> find(std::string_view path) {
    return detail::ref_to_found<P>(find_address(path));
  }

  /// Asks an actor to end; the answer comes when it has ended. It is killed after `deadline`.
  Ask<void> stop(const Ref<>& actor, Duration deadline = std::chrono::seconds(5));
  /// Has an actor end behind the mail that it has now, which it handles first (S46).
  Sent poison(const Ref<>& actor);
  /// Ends an actor at once: its await is cancelled.
  void kill(const Ref<>& actor);

  /// Adds a task to a phase of the shutdown. Tasks of one phase run in parallel on the blocking
  /// pool, and see their stop token when the phase's time is up. Throws UsageError for an unknown
  /// phase; once its phase has begun it is not run (S75).
  ShutdownTask at_shutdown(std::string_view phase, std::string name,
                           std::function<void(std::stop_token)> task);
  /// Shuts down: runs the phases, stops all actors, and returns when all has ended or the deadline
  /// is over. Further calls wait for the first and return its report.
  ShutdownReport shutdown(std::string why = "shutdown() was called");
  /// Starts the shutdown and returns at once; for actors and signal handlers of one's own.
  void begin_shutdown(std::string why);
  /// Waits for SIGINT, SIGTERM or the shutdown itself, then shuts down. Returns the process's exit
  /// code: 0, 1 when a guardian failed, 128 + signal, or 3 when something could not be stopped (the
  /// report goes to standard error; leave through std::_Exit then). Signals are taken over while it
  /// runs only; throws UsageError when another System of this process does so already.
  /// `start`, if given, is called first: a signal that comes meanwhile is not lost. What it throws
  /// is thrown.
  int run_until_signal(const std::function<void()>& start = {});

  /// What an actor waits for, and what that waits for, in words: "/a waits for the answer to Charge
  /// from /payments, which waits for nobody". Of an actor with several handlers that wait, the
  /// newest. A look from outside, out of date as soon as it is taken.
  [[nodiscard]] std::string why(const Ref<>& actor) const;
  /// All actors, in the order they were spawned. Takes a lock that spawning sometimes takes too.
  [[nodiscard]] std::vector<ActorInfo> actors() const;
  /// The same as text, children indented below their parent.
  [[nodiscard]] std::string tree() const;
  [[nodiscard]] Metrics metrics() const;
  /// The same, and the number of actors, in Prometheus' text format (version 0.0.4).
  [[nodiscard]] std::string prometheus() const;
  [[nodiscard]] std::uint64_t actor_count() const;
  [[nodiscard]] TimePoint now() const;
  [[nodiscard]] const SystemOptions& options() const noexcept;
  /// For the runtime's own parts and test kits.
  [[nodiscard]] detail::SystemCore& core() const noexcept { return *core_; }

 private:
  std::optional<detail::Address> find_address(std::string_view path);
  std::shared_ptr<detail::SystemCore> core_;
};

}  // namespace troupe
