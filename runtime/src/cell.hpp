// One actor: its mailbox, its token, its life.
//
// Design. A cell is 128 bytes and the actor's object behind them. Whoever holds its token
// (mailbox/mailbox.hpp) runs it: commands first, then a handler that may go on, then one message
// after the other, until its budget is spent or nothing is left. Phases:
//
//   free -> starting -> running -> ending -> free
//                 \        |  \      ^ |
//                  \-> failing -> held <-        held: waits for its parent's verdict (OnEnd::hold)
//
//  * starting: on_start is the first turn; no message before it returned.
//  * failing: something left a handler; suspended handlers are unwound, then the parent is told.
//  * ending: in the order of SEMANTICS 45a: unwind, on_stop, children, object, timers and asks,
//  name, watchers and links,
//    parent, mailbox, cell. What follows the object's end is `after`: terminate, hold, or rebuild
//    (a restart).
// Fields of the first line are written by senders, those of the second by the owner only, commands
// excepted.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arena.hpp"
#include "ask_slots.hpp"
#include "cell_extension.hpp"
#include "commands.hpp"
#include "mailbox/mailbox.hpp"
#include "scheduler/executor.hpp"
#include "timer/timer_service.hpp"

namespace troupe::detail {

using Mailbox = BasicMailbox<MailLink, Command>;

class SystemCore;
class RemoteTable;

/// How threads that are no workers reach a System that may be ending. Never freed, so that a stale
/// ref finds one.
struct SystemGate {
  std::atomic<std::uint64_t> in_flight{0};
  std::atomic<SystemCore*> core{nullptr};  ///< null: closed
  RemoteTable* remote = nullptr;           ///< of a gate that leads to another node; constant

  SystemCore* enter() noexcept {
    in_flight.fetch_add(1, std::memory_order_seq_cst);  // pair with close in ~SystemCore: it sees
                                                        // this or this sees null
    SystemCore* open = core.load(std::memory_order_seq_cst);
    if (open == nullptr) leave();
    return open;
  }
  void leave() noexcept {
    in_flight.fetch_sub(1, std::memory_order_release);  // partner: the wait in close
  }
};

enum class Phase : std::uint8_t { free, starting, running, failing, held, ending };

/// A handler that waits. Lives on its own stack, or in its coroutine.
struct Frame {
  Carrier* carrier = nullptr;        ///< null: a coroutine
  std::stop_source* stop = nullptr;  ///< where memory is lent: tells him that he need not go on
  Frame* next_ready = nullptr;
  bool lent = false;     ///< memory is lent to somebody (blocking): not cancelled before he is done
  bool is_idle = false;  ///< a process that waits for a message
  bool wakes_when_empty = false;  ///< idle, and to go on when the mailbox is empty
  bool is_ready = false;
  // Set by link_frame.
  Turn* turn;
  Worker* left;  ///< the worker it was suspended on
  Frame* previous;
  Frame* following;
  RequestPort waits_for;
};

struct ActiveSpan;
struct CellExtension;
struct TurnEnd;
/// What one handler's invocation adds to Turn.
struct CellTurn : Turn {
  bool cancelled = false;
  bool is_kept = false;           ///< the message is in the stash
  bool envelope_is_kept = false;  ///< in the envelope it came in
  bool is_reader = false;         ///< of a handler that reads only
  bool task_waits = false;        ///< its coroutine is suspended
  TurnEnd* at_end = nullptr;      ///< runs when the handler has returned
  ActiveSpan* span = nullptr;     ///< of a message that belongs to a trace
  /// Nothing is left of it: no coroutine, no answer owed, nothing to run after it, no refusal.
  [[nodiscard]] bool is_plain() const noexcept {
    return task == nullptr && at_end == nullptr && port.slot == nullptr && !cancelled;
  }
  [[nodiscard]] std::string name() const {
    return envelope != nullptr ? std::string(envelope->type->text()) : what;
  }
};

/// A coroutine's. On the heap; keeps the behavior that made it.
struct TaskTurn final : CellTurn {
  TaskTurn(const CellTurn& turn, std::shared_ptr<Behavior> made_by)
      : CellTurn(turn), behavior(std::move(made_by)) {}
  std::shared_ptr<Behavior> behavior;
  void* resume_at = nullptr;  ///< the innermost coroutine that waits; null: none does
};

// What is waited for that is no answer, where others ask what (System::why).
struct Slowdown {};     ///< a slowed sender
struct LentWait {};     ///< a blocking call, or an operation of others
struct MessageWait {};  ///< a process in receive
struct AnyWait {};      ///< await_any

inline constexpr const char* why_not_wait =
    "a constructor, a matcher, or what runs while an actor's object is destroyed may not wait: "
    "begin in on_start";
/// In Cell::waits_for: it takes messages meanwhile.
inline constexpr std::uintptr_t takes_messages_meanwhile = 1;

struct Cell final : Runnable {
  // ---- line 0: what senders read and write
  Mailbox::Inlet in;
  // Messages that came are `woke` (they woke this actor: written by who holds the token) plus
  // `pushed` (the others). Counted after the push: for reports.
  std::atomic<std::uint32_t> pushed{0};
  std::atomic<std::uint32_t> generation{1};
  std::atomic<const ActorType*> type{nullptr};
  std::atomic<SystemGate*> gate{nullptr};
  std::atomic<std::uint32_t> woke{0};
  std::uint32_t serial = 0;
  // ---- line 1: the owner's
  Mailbox::Outlet out;
  /// Whose answer this actor waits for: an AskSlot*, and the bit below.
  std::atomic<std::uintptr_t> waits_for{0};
  MadeOnce<CellExtension> extension;
  std::atomic<Cell*> parent{nullptr};  ///< set at spawn; read by the shutdown too
  Cell* next_sibling = nullptr;        ///< or next free cell
  Cell* previous_sibling = nullptr;
  std::atomic<Phase> phase{Phase::free};  ///< others read it for reports
  std::uint8_t cell_class : 4 = 0;
  std::uint8_t is_held : 1 = 0;   ///< OnEnd::hold; set at spawn
  std::uint8_t is_named : 1 = 0;  ///< its path is in the System's names; set at spawn
  std::uint8_t is_apart : 1 = 0;  ///< its object lies on the heap; set at spawn
  std::uint16_t incarnation = 0;
  std::atomic<std::uint32_t> taken{0};

  void run(Worker& worker) override;

  [[nodiscard]] SystemCore& core() const noexcept;
  [[nodiscard]] void* object() noexcept;
  [[nodiscard]] ActorBase& actor() noexcept;
  [[nodiscard]] ChildObserver* observer() noexcept;
  [[nodiscard]] Address address_of_life(std::uint32_t life) noexcept;
  [[nodiscard]] Address address() noexcept { return {this, own_generation(), serial}; }
  /// The one it was known by, for its end.
  [[nodiscard]] Address last_address() noexcept;
  /// Its generation until the reaper abandoned it; 0: it did not.
  [[nodiscard]] std::uint32_t abandoned_life() const noexcept {
    const bool has = extension != nullptr && extension->oversight != nullptr;
    return has ? extension->oversight->abandoned_life : 0;
  }
  CellExtension& ext() {
    if (extension == nullptr) [[unlikely]]
      make_extension();
    return *extension;
  }
  void make_extension();
  // What of the extension is looked at often; null where the actor has none of its own.
  [[nodiscard]] bool takes_mail_plainly() const noexcept {
    if (extension == nullptr) [[likely]]
      return true;
    return extension->takes_mail_plainly();
  }
  [[nodiscard]] Intake* intake() const noexcept {
    return extension != nullptr ? extension->intake.get() : nullptr;
  }
  [[nodiscard]] LockedLane* lane() const noexcept {
    const Intake* i = intake();
    return i != nullptr ? i->lane.get() : nullptr;
  }
  [[nodiscard]] HeldMail* held_mail() const noexcept {
    const Intake* i = intake();
    return i != nullptr ? i->held_mail.get() : nullptr;
  }
  [[nodiscard]] Behavior* behavior() const noexcept {
    const Intake* i = intake();
    return i != nullptr ? i->behavior.get() : nullptr;
  }
  // The owner reads what it wrote itself: no order is needed.
  [[nodiscard]] const ActorType& own_type() const noexcept {
    return *type.load(std::memory_order_relaxed);
  }
  /// The generation of the next actor in this cell.
  [[nodiscard]] std::uint32_t next_generation() const noexcept {
    return (own_generation() & ~has_locked_lane) + 1;
  }
  [[nodiscard]] std::uint32_t own_generation() const noexcept {
    return generation.load(std::memory_order_relaxed);  // as above
  }
  [[nodiscard]] bool is(Phase p) const noexcept {
    return phase.load(std::memory_order_relaxed) == p;  // the owner asks
  }
  void set(Phase p) noexcept {
    // Release: who looks on sees of what type the actor is, and whose child (partner: the acquire
    // loads of the phase in introspection.cpp and shutdown.cpp).
    phase.store(p, std::memory_order_release);
  }

  // cell.cpp: the loop and its turns
  enum class Next : std::uint8_t {
    go_on,     ///< look again what is next
    messages,  ///< nothing goes before the mailbox
    took_one,  ///< a message was handled
    left,      ///< the token is gone
  };
  Next before_messages(Worker& worker);
  Next take_messages(Worker*& worker, CellTurn& turn, std::uint32_t& budget, bool is_plain);
  Next take_one_from_lane();
  [[nodiscard]] const HandlerEntry* plain_handler(const Envelope& e,
                                                  const Worker& worker) const noexcept;
  Envelope* accept(MailLink* done);
  Envelope* pop();
  Envelope* take_from_lane();
  void close_lane();
  Next sleep();
  Next sleep_plainly();
  Next sleep_extended();
  [[nodiscard]] bool is_pinned_elsewhere(const Worker& worker) const noexcept;
  void yield();
  void finish(Envelope* e);
  Worker& deliver(Envelope* e, Worker& worker);
  void deliver_tick_or_notice(Envelope* e);
  Worker& handle_message(Envelope* e, Worker& worker);
  void end_turn(CellTurn& turn);
  void handle_notice(Envelope* e);
  /// Runs user code that is no message's handler.
  void run_turn(Worker& before, CellTurn& turn, void (*body)(Cell&, CellTurn&));
  void run_turn_end(CellTurn& turn);
  void turn_failed(CellTurn& turn, std::exception_ptr error);
  void bounce(Envelope* e, DropReason reason);
  bool bounce_some();
  void append_notice(Envelope* e);

  // waiting.cpp: handlers that wait, as fibers and as coroutines
  [[nodiscard]] Frame* waiting() const noexcept {
    return extension != nullptr ? extension->frames : nullptr;
  }
  void wait_in_turn(Worker& worker, const RequestPort& port, bool lent,
                    std::stop_source* stop = nullptr);
  void wait_in_frame(Worker& before, Frame& frame, CellTurn& turn, const RequestPort& port);
  void wait_for_message(const RequestPort& port, bool until_empty);
  [[nodiscard]] bool is_idle_process() const noexcept {
    return extension->frames != nullptr && extension->frames->is_idle;
  }
  bool link_frame(Worker& worker, Frame& frame, CellTurn& turn, const RequestPort& port);
  void unlink_frame(Frame& frame);
  void make_ready(Frame& frame);
  Next resume_ready(Worker& worker);
  void run_task(TaskTurn& turn);
  [[nodiscard]] bool may_close_ring(const RequestPort& port) const noexcept;
  bool refuse_cycle(const RequestPort& port);
  void wait_behind_writer();
  /// What is seen of its waits: what keeps it from taking messages, or does not.
  void show_wait(AskSlot* slot, bool keeps_from_messages) noexcept;
  bool closes_ring(const RequestPort& port, std::vector<Address>* path, Address* any = nullptr);
  bool refuse_any(const RequestPort& port);
  void look_at_rings();
  [[nodiscard]] bool takes_messages_now() const noexcept;

  // back_pressure.cpp
  bool is_slowed();
  void begin_slowdown(const Address& target);
  void end_slowdown();
  void handle_slowdown(const RequestPort& sender);
  void release_slowed_senders(std::uint32_t when);

  // held_mail.cpp: stash, urgent messages, receive timeout
  bool take_held();
  void accept_urgent(Envelope* e);
  void stash_unhandled(Envelope* e, const RequestPort& port);
  void release_held_mail();
  void drop_newest(std::uint32_t kept_max);
  void receive_timer_due();

  // cell_life.cpp: start, failure, restart, end
  void start();
  void fail(ExitReason why, bool starting, const CellTurn* turn = nullptr);
  void begin_end(ExitReason why, StopReason stop_reason, After after);
  void cancel_frames();
  Next go_on_ending();
  void call_on_stop();
  [[nodiscard]] bool keeps_children() const noexcept;
  void tell_children_to_stop();
  void drop_object();
  void rebuild();
  void hold_for_verdict(bool can_resume);
  Next terminate();
  void tell_watchers(const ExitReason& why);
  static void send_exit_signals(const Links& links, const Address& self, const ExitReason& why);
  bool leave_family();
  void request_stop(StopCommand& stop);
  bool waits_for_no_verdict();
  void request_end(const ExitReason& why, StopReason reason);
  void arm_stop_timer(TimePoint due);
  void end_when_resumed(const ExitReason& why);
  void limit_end(const std::optional<Duration>& limit);
  void end_watches();
  [[nodiscard]] std::vector<RequestPort> take_stop_waiters();
  void answer_stop_waiters();
  void started_ok();
  void tell_parent(CommandKind what);

  // cell_commands.cpp
  void handle_commands();
  [[nodiscard]] bool is_for_this_life(std::uint32_t life) const noexcept;
  void handle(Command* command);
  void bounce_command(Command* command, const ExitReason& why = ExitReason::no_actor());
  void handle_incarnation(const IncarnationCommand& news);
  void handle_watch_fired(WatchRecord& record);
  bool is_called_off(Envelope& e);
  void handle_exit_signal(LinkRecord& signal);
  void handle_link(LinkCommand& link);
  void handle_unlink(LinkCommand& unlink);
  void handle_timer(TimerRecord& timer);
  Envelope* copy_of_tick(TimerRecord& timer);
  [[nodiscard]] TimerRecord* timer_of(const Envelope& tick) noexcept;
  void tick_done(Envelope* e);
  void handle_child(ChildCommand& notice);
  void report_stall(Duration at_least);
  void handle_verdict(VerdictCommand& verdict);
  void timeout_asks();
  void remove_child(Cell& child);
  void child_was_abandoned(ChildCommand& notice);
};
static_assert(sizeof(Cell) == cell_header_bytes);

[[nodiscard]] CrashReport make_crash_report(Cell& cell, const ExitReason& why, bool starting,
                                            const CellTurn* turn);

/// Messages that have come. A figure.
[[nodiscard]] inline std::uint32_t messages_came(const Cell& cell) noexcept {
  return cell.pushed.load(std::memory_order_relaxed) +
         cell.woke.load(std::memory_order_relaxed);  // as said above
}
/// A message was pushed and has woken the actor, or not.
inline void count_push(Cell& cell, bool woke_it) noexcept {
  if (woke_it) {  // the caller holds the token
    cell.woke.store(cell.woke.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  } else {
    cell.pushed.fetch_add(1, std::memory_order_relaxed);  // both: figures
  }
}
/// Ends a sender's slowdown. Any thread inside the System.
void go_on(const RequestPort& slowed) noexcept;
/// Marks the sender at work if it floods this actor.
void slow_sender(SystemCore& core, Worker* worker, const Address& to) noexcept;
/// Since when an actor has waited for what keeps it from taking messages, where that has a
/// deadline. Any thread.
[[nodiscard]] std::optional<TimePoint> waits_since(const Cell& cell) noexcept;
/// Messages that wait: came minus taken.
[[nodiscard]] std::uint32_t mailbox_length(const Cell& cell) noexcept;
/// A message whose time has come: its sender heard long ago that it is sent, so no budget holds it
/// back.
void send_due(SystemCore& core, const Address& to, Envelope* e) noexcept;
/// Gives a cell a command, or the node that it stands for. Any thread that may touch the cell's
/// System.
void send_command(Cell& to, Command* command);
/// From a worker of the cell's System, or (null) from a thread that has entered its gate. What goes
/// in another lane is not ordered with what the sender tells.
void put_command(SystemCore& core, Worker* worker, Cell& to, Command* command, std::uint32_t lane);
inline RequestPort take_port(Envelope* e) noexcept {
  return (e->flags & is_request) != 0 ? std::exchange(static_cast<RequestEnvelope*>(e)->port, {})
                                      : RequestPort{};
}
void destroy_envelope(Envelope* e) noexcept;
/// The message is done with; its memory too, unless the mailbox still needs it.
void end_message(Envelope* e) noexcept;
void arm_cell_timer(Cell& cell, TimerRecord& timer, TimePoint due);
/// The actor is done with a timer: off its list, and freed as soon as nothing of it is under way.
void drop_timer(Cell& cell, TimerRecord* timer) noexcept;
/// Frees a timer off the list, or leaves that to what is still under way.
void release_timer(TimerRecord* timer) noexcept;
inline constexpr std::uint32_t answer_lane = 0x80000000u;

template <class Notice>
Envelope* make_notice(Notice&& notice) {
  Envelope* e = envelop(std::forward<Notice>(notice));
  e->flags |= is_notice;
  return e;
}

}  // namespace troupe::detail
