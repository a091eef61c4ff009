// Commands: what the runtime tells a cell. Never bounded, never dropped; embedded in the records
// they concern, so that failing needs no memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <troupe/runtime/actor.hpp>
#include <troupe/runtime/children.hpp>
#include <troupe/runtime/detail/envelope.hpp>
#include <troupe/runtime/signals.hpp>

namespace troupe::detail {

enum class CommandKind : std::uint8_t {
  stop,
  kill,
  watch,
  unwatch,
  watch_fired,  ///< back to the watcher: the target has ended
  incarnation,  ///< to the watcher: the target was restarted
  link,
  unlink,
  exit_signal,
  child_gone,
  child_abandoned,  ///< gone, but its cell is still in use
  child_ended,
  child_started,
  child_rebuilt,  ///< restarted, and about to start
  restart,
  resume,
  release,
  run,
  urgent,  ///< a message ahead of the mail
  report_stall,
  slowdown,       ///< a sender waits until less mail waits
  look_at_rings,  ///< somebody waits for this actor, which waits for one of several answers
  answered,       ///< an ask of this actor is over
  timer,
};

struct Command {
  Command* next = nullptr;
  std::uint32_t to_generation = 0;
  CommandKind kind{};
};

/// stop and halt, with who wants to hear of the end.
struct StopCommand : Command {
  ExitReason why;
  std::optional<Duration> limit;  ///< how long handlers may go on; 0: kill at once; none: for ever
  bool own_limit = false;         ///< use the actor's own
  bool for_good = false;          ///< no verdict is to be waited for: there is nobody to give it
  RequestPort waiter;
};

/// A notice that stops who takes it (S46).
struct Poison {};

/// A notice that tells, by its end, that the mail before it has left the mailbox.
class MailMark {
 public:
  explicit MailMark(std::function<void()> passed) : passed_(std::move(passed)) {}
  MailMark(MailMark&& other) noexcept : passed_(std::exchange(other.passed_, nullptr)) {}
  MailMark& operator=(MailMark&&) = delete;
  ~MailMark() {
    if (passed_ != nullptr) passed_();
  }

 private:
  std::function<void()> passed_;
};

/// A message sent by tell_urgent.
struct UrgentCommand : Command {
  Envelope* message = nullptr;
};

/// Asks an actor what has waited in its mailbox for so long.
struct ReportStallCommand : Command {
  Duration at_least{};
};

struct SlowdownCommand : Command {
  RequestPort sender;
};

/// One watch or monitor. Belongs to the target's list of watchers until it fires, then travels back
/// to the watcher.
struct WatchRecord : Command {
  Address watcher;
  Address target;
  std::uint64_t token = 0;
  bool is_monitor = false;
  bool incarnations = false;
  ExitReason why;
  WatchRecord* previous = nullptr;  ///< the target's list
  WatchRecord* following = nullptr;
};

struct UnwatchCommand : Command {
  WatchRecord* record = nullptr;  ///< only compared, never followed, until found in the list
  std::uint64_t token = 0;        ///< of the watch
};

struct IncarnationCommand : Command {
  std::uint64_t token = 0;
  ExitReason why;
};

/// One side of a link. Its node carries the exit signal.
struct LinkRecord : Command {
  Address from;
  Address peer;
  std::uint64_t my_id = 0;     ///< of the link command this side sent, or 0
  std::uint64_t their_id = 0;  ///< of the link command the other side sent, or 0
  ExitReason why;
  LinkRecord* following = nullptr;
  bool by_link = true;  ///< an exit signal of a link, to be checked against the receiver's links
};

struct LinkCommand : Command {
  Address from;
  std::uint64_t id = 0;
  std::uint64_t other_id = 0;
};

/// From a child to its parent. Lives in the memory of the dead object (child_gone), on the heap, or
/// as below.
struct ChildCommand : Command {
  Address child;
  ExitReason why;
};
/// Made with a held child and used for each of its ends: the parent's verdict comes before the
/// next. One whose parent is abandoned ends without a verdict, perhaps while this is on its way:
/// who is later, the taker or the child's end, deletes it.
struct ChildEndedCommand : ChildCommand {
  bool can_resume = false;
  bool starting = false;
  std::atomic<bool> is_on_its_way{false};

  /// For both of them. False: the other was here.
  [[nodiscard]] bool arrives() noexcept { return is_on_its_way.exchange(false); }
};

struct RunCommand : Command {
  std::function<void(ChildObserver*)> function;
};

struct VerdictCommand : Command {
  std::shared_ptr<const Maker> maker;
  std::optional<std::uint32_t> mail_max;
  std::optional<Duration> limit;  ///< of the on_stop that is still to come
};

template <class C>
C* new_command(CommandKind kind, const Address& to) {
  auto* command = new C;
  command->kind = kind;
  command->to_generation = to.generation;
  return command;
}
void delete_command(Command* command) noexcept;

}  // namespace troupe::detail
