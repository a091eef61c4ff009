// Looking after children oneself: the held state, its verdicts, and the events of children.
// What supervision is built on (DESIGN.md 2); any actor class may use it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/exit_reason.hpp>
#include <troupe/runtime/ref.hpp>
#include <troupe/runtime/spawn_options.hpp>

namespace troupe {

namespace detail {
struct ActorType;

/// Builds an actor of one class, as often as asked.
class Maker {
 public:
  explicit Maker(const ActorType& type) noexcept : type_(type) {}
  Maker(const Maker&) = delete;
  Maker& operator=(const Maker&) = delete;
  virtual ~Maker() = default;
  virtual void construct(void* where) const = 0;
  [[nodiscard]] const ActorType& type() const noexcept { return type_; }

 private:
  const ActorType& type_;
};
}  // namespace detail

/// A child spawned with `OnEnd::hold` has failed, ended or been halted and waits for its parent's
/// verdict.
struct Ended {
  Ref<> child;
  ExitReason why;
  bool can_resume = false;  ///< its state is intact: it failed in a handler, and is no process
  bool starting = false;    ///< it failed before its first message: in the constructor or on_start
};

/// Derived by an actor class that looks after its children itself. The functions run on the actor,
/// as commands do: between two messages and also while a handler waits. They must not await, and
/// must not throw. Thread safety: called on the actor only.
class ChildObserver {
 public:
  /// A held child waits for the verdict.
  virtual void child_ended(const Ended& ended) = 0;
  /// A child is gone for good, after its watchers were told.
  virtual void child_gone(const Ref<>& child, const ExitReason& why) = 0;
  /// A child is at work: its on_start has returned; for each incarnation.
  virtual void child_started(const Ref<>& child) = 0;
  /// A child that is being restarted is about to run the next on_start; where its class has one.
  virtual void child_rebuilt(const Ref<>& child) = 0;
  /// A control timer is due.
  virtual void control_timer_due(std::uint64_t token) = 0;
  /// This actor failed, was held, and goes on with its state.
  virtual void actor_resumed() {}
  /// This actor ends and all children have to. It has ended when none is left.
  virtual void stop_children() = 0;

 protected:
  ~ChildObserver() = default;
};

// All of the following is for an actor class that derives from ChildObserver, on its own turn;
// elsewhere it throws UsageError. Naming a child that is gone does nothing.

/// A child, and the answer to come when its on_start has returned (or failed, with the reason as
/// text).
struct SpawnedChild {
  Ref<> child;
  Ask<void> started;
};
/// Spawns a held child (`options.on_end` is set). Throws what its constructor throws, and
/// NameTaken.
SpawnedChild spawn_held_child(const detail::Maker& maker, SpawnOptions options,
                              Duration start_timeout);
/// Orderly stop that holds. After `limit` the child is killed; `limit` 0 kills it at once; none
/// waits for ever.
void halt_child(const Ref<>& child, std::optional<Duration> limit);

namespace verdict {
/// Destroys what is left of the held child and builds its next incarnation in the same cell: ref,
/// mailbox, watchers and links stay. What the constructor or on_start throws is a further Ended.
/// `mail_max`: of the messages that came since it was held the newest beyond so many become dead
/// letters (S72). `limit`: how long the old one's on_stop may await; none: for ever (S66).
void restart(const Ref<>& child, std::shared_ptr<const detail::Maker> maker,
             std::optional<std::uint32_t> mail_max = {}, std::optional<Duration> limit = {});
/// Lets a held child with `can_resume` go on as it was. The message that failed is lost.
void resume(const Ref<>& child);
/// Lets a held child go: watchers are told, its mail bounces, its name is free. `limit`: as above.
void release(const Ref<>& child, std::optional<Duration> limit = {});
}  // namespace verdict

/// Calls control_timer_due(token) on the calling actor after `delay`, once; also while it waits.
void start_control_timer(std::uint64_t token, Duration delay);
/// Ends the calling actor at once, handlers that wait included, and tells log and observers that it
/// gave up. False: it is not running but held itself, and its own parent decides first.
bool escalate(ExitReason why);
/// A number in [0, 1) from the System's randomness.
double random_unit();

/// Runs `f` on the actor as a command: ahead of its mail and also while it waits. `f` gets null
/// when the actor is no ChildObserver; it is destroyed unused when the actor has ended. Any thread.
void run_as_command(const Ref<>& actor, std::function<void(ChildObserver*)> f);

}  // namespace troupe
