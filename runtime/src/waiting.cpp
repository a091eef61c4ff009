// Handlers that wait: fibers and coroutines, which messages go on meanwhile, and rings of actors
// that wait for each other.
#include <coroutine>
#include <new>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>
#include <troupe/runtime/detail/remote.hpp>

#include "cell.hpp"
#include "reaper.hpp"
#include "system_core.hpp"

namespace troupe::detail {

// ---- which messages go on

namespace {

bool is_reader(const ActorType& type, const MessageType* message) noexcept {
  const HandlerEntry* handler = type.find(message);
  return handler != nullptr && handler->is_reader;
}

}  // namespace

/// Whether the next message may be taken although a handler waits.
bool Cell::takes_messages_now() const noexcept {
  if (extension->stop_pending) return false;
  switch (own_type().turns) {
    case TurnsKind::exclusive: return mutant("mailbox_goes_on_meanwhile");
    case TurnsKind::reentrant: return true;
    case TurnsKind::process: return is_idle_process();
    case TurnsKind::readers_together: break;
  }
  for (const Frame* frame = extension->frames; frame != nullptr; frame = frame->following) {
    if (!static_cast<CellTurn*>(frame->turn)->is_reader) return false;
  }
  const HeldMail* held = held_mail();
  const MessageType* next = nullptr;
  if (held != nullptr && held->has_mail()) {
    next = held->front()->type;
  } else if (LockedLane* own = lane()) {
    next = own->next_type();
  } else if (const auto* e = static_cast<Envelope*>(Mailbox::peek(out))) {
    next = e->type;
  }
  return next == nullptr || is_reader(own_type(), next) || mutant("writer_beside_readers");
}

// ---- fibers

namespace {

/// On the carrier that follows a suspended one: gives the token up at once where the actor can do
/// nothing else, which is the usual way; else the actor goes on.
void after_suspension(void* argument) {
  auto& cell = *static_cast<Cell*>(argument);
  const bool has_readers = cell.own_type().turns == TurnsKind::readers_together;
  const bool can_go_on = cell.extension->first_ready != nullptr ||
                         (cell.is(Phase::running) && (has_readers || cell.takes_messages_now()));
  if (can_go_on || !Mailbox::go_waiting(cell.out)) Worker::current()->go_on_with(cell);
}

}  // namespace

namespace {
bool is_any(const RequestPort& port) noexcept {
  return port.slot->asked.load(std::memory_order_relaxed) == &message_type<AnyWait>;  // see there
}
}  // namespace

/// No where the actor that is asked waits for nobody, as is usual.
[[gnu::always_inline]] inline bool Cell::may_close_ring(const RequestPort& port) const noexcept {
  const Cell* callee = port.slot->callee_address().cell;
  if (callee == nullptr) return is_any(port);
  return callee == this ||
         callee->waits_for.load(std::memory_order_seq_cst) != 0;  // pair: link_frame
}

void Cell::show_wait(AskSlot* slot, bool keeps_from_messages) noexcept {
  const auto shown = reinterpret_cast<std::uintptr_t>(slot);
  // Pair: refuse_cycle of another actor.
  waits_for.store(keeps_from_messages ? shown : shown | takes_messages_meanwhile,
                  std::memory_order_seq_cst);
}

/// False: the ask is over, because waiting for it would have closed a ring.
[[gnu::always_inline]] inline bool Cell::link_frame(Worker& worker, Frame& frame, CellTurn& turn,
                                                    const RequestPort& port) {
  CellExtension& e = ext();
  // While an actor starts or ends it takes no messages, whatever its class says.
  const bool takes_none = own_type().turns != TurnsKind::reentrant || !is(Phase::running);
  const bool reads_on = own_type().turns == TurnsKind::readers_together && turn.is_reader;
  if (takes_none && !reads_on && !frame.lent && !frame.is_idle) {
    show_wait(port.slot, true);
    if (may_close_ring(port) && refuse_cycle(port)) {
      waits_for.store(0, std::memory_order_relaxed);  // a hint to others
      return false;
    }
  } else {
    show_wait(port.slot, false);
  }
  frame.turn = &turn;
  frame.left = &worker;
  frame.waits_for = port;
  frame.previous = nullptr;
  frame.following = e.frames;
  if (e.frames != nullptr) e.frames->previous = &frame;
  e.frames = &frame;
  port.slot->frame = &frame;
  return true;
}

/// Suspends the running fiber. It may go on on another worker.
[[gnu::always_inline]] inline void Cell::wait_in_frame(Worker& before, Frame& frame, CellTurn& turn,
                                                       const RequestPort& port) {
  before.reserve_carrier();
  frame.carrier = &before.carrier();
  if (!link_frame(before, frame, turn, port)) return;
  pass_gate(before, *this, turn);
  before.turn = nullptr;
  // Returns on another carrier's time, perhaps on another thread.
  before.suspend(&after_suspension, this);
  Worker& after = *Worker::current();
  after.turn = &turn;
  after.running.store(this, std::memory_order_release);  // partner: Reaper::arrest
}

void Cell::wait_in_turn(Worker& worker, const RequestPort& port, bool lent,
                        std::stop_source* stop) {
  auto* turn = static_cast<CellTurn*>(worker.turn);
  TROUPE_CHECK(turn != nullptr, "an actor waits outside of its turn");
  if (worker.has_abandoned.load(std::memory_order_relaxed) == this)  // seen soon enough
    turn->cancelled = true;
  if (turn->cancelled && !lent) throw Cancelled{};
  if (!port.slot->is_over(port.generation)) {
    Frame frame;
    frame.lent = lent;
    frame.stop = stop;
    wait_in_frame(worker, frame, *turn, port);
  }
  if (turn->cancelled && !lent) throw Cancelled{};
}

/// A process waits until `port` is answered, its time is up, or the mailbox is empty. A stop ends
/// the wait (S139).
void Cell::wait_for_message(const RequestPort& port, bool until_empty) {
  Worker& worker = *Worker::current();
  auto* turn = static_cast<CellTurn*>(worker.turn);
  TROUPE_CHECK(turn != nullptr, "a process receives outside of its turn");
  if (worker.may_not_wait) throw UsageError(why_not_wait);
  if (ext().stop_pending) turn->cancelled = true;
  if (turn->cancelled) throw Cancelled{};
  Frame frame;
  frame.is_idle = true;
  frame.wakes_when_empty = until_empty;
  wait_in_frame(worker, frame, *turn, port);
  if (turn->cancelled) throw Cancelled{};
}

void Cell::unlink_frame(Frame& frame) {
  CellExtension& e = *extension;
  (frame.previous != nullptr ? frame.previous->following : e.frames) = frame.following;
  if (frame.following != nullptr) frame.following->previous = frame.previous;
  if (frame.waits_for.slot->frame == &frame) frame.waits_for.slot->frame = nullptr;
  if (e.frames == nullptr) [[likely]] {
    waits_for.store(0, std::memory_order_relaxed);  // a hint to others
  } else {
    show_wait(e.frames->waits_for.slot, false);
  }
}

void Cell::make_ready(Frame& frame) {
  if (frame.is_ready) return;
  frame.is_ready = true;
  (extension->last_ready != nullptr ? extension->last_ready->next_ready : extension->first_ready) =
      &frame;
  extension->last_ready = &frame;
}

/// Goes on with a handler that may. For a fiber it comes back when this carrier is needed again,
/// which then holds nothing.
Cell::Next Cell::resume_ready(Worker& worker) {
  Frame& frame = *extension->first_ready;
  if (extension->stay_on_worker && frame.left != &worker && !mutant("handler_goes_on_anywhere")) {
    frame.left->inject(*this);
    return Next::left;
  }
  extension->first_ready = frame.next_ready;
  if (extension->first_ready == nullptr) extension->last_ready = nullptr;
  unlink_frame(frame);
  if (frame.carrier == nullptr) {
    auto& turn = *static_cast<TaskTurn*>(frame.turn);
    turn.task_waits = false;
    run_task(turn);
    return Next::took_one;
  }
  worker.resume(*frame.carrier);
  return Next::left;
}

// ---- coroutines

/// Runs a task until it waits or ends. `turn` is the task's own, on the heap.
void Cell::run_task(TaskTurn& turn) {
  run_turn(*Worker::current(), turn, [](Cell&, CellTurn& t) {
    void* const resume_at = static_cast<TaskTurn&>(t).resume_at;
    void* const at = resume_at != nullptr ? resume_at : t.task;
    std::coroutine_handle<>::from_address(at).resume();
    if (t.task_waits) return;
    t.finish_task(t, std::exchange(t.task, nullptr));
  });
  if (turn.task != nullptr) return;
  end_turn(turn);
  delete &turn;
}

static_assert(sizeof(Frame) <= sizeof(TaskWait::frame));

namespace {

TaskTurn& running_task() {
  Worker* worker = Worker::current();
  auto* turn = worker != nullptr ? static_cast<CellTurn*>(worker->turn) : nullptr;
  if (turn == nullptr || turn->task == nullptr)
    throw UsageError("co_await of an ask is for a Task that a handler returned");
  if (worker->has_abandoned.load(std::memory_order_relaxed) == worker->cell)  // seen soon enough
    turn->cancelled = true;
  return static_cast<TaskTurn&>(*turn);
}

bool suspend_in_frame(TaskTurn& turn, Frame& frame, const RequestPort& ask,
                      std::coroutine_handle<> task) {
  Worker* worker = Worker::current();
  if (!worker->cell->link_frame(*worker, frame, turn, ask)) return false;
  turn.resume_at = task.address();
  turn.task_waits = true;
  return true;
}

}  // namespace

bool suspend_task(TaskWait& wait, const RequestPort& ask, std::coroutine_handle<> task) {
  TaskTurn& turn = running_task();
  return !turn.cancelled && suspend_in_frame(turn, *::new (wait.frame) Frame, ask, task);
}

bool suspend_lending_task(TaskWait& wait, const RequestPort& done, std::coroutine_handle<> task,
                          std::stop_source* stop) {
  if (done.slot->is_over(done.generation)) return false;
  auto& frame = *::new (wait.frame) Frame;
  frame.lent = true;
  frame.stop = stop;
  return suspend_in_frame(running_task(), frame, done, task);
}

void check_task() {
  if (running_task().cancelled) throw Cancelled{};
}

void resumed_task() {
  const auto* turn = static_cast<CellTurn*>(Worker::current()->turn);
  if (turn != nullptr && turn->cancelled) throw Cancelled{};
}

// ---- rings

namespace {

constexpr int ring_length_max = 1000;

/// The actor that the answer to `port` comes from, if the ask is still open; read from any thread.
struct Callee {
  Address actor;
  bool is_kept = false;  ///< it has the duty as a value: the answer may come from anywhere
};
Callee callee_of_open(const RequestPort& port) noexcept {
  const Callee callee{port.slot->callee_address(), port.slot->callee.seen().keeps_duty};
  return port.slot->state(port.generation) == SlotState::pending ? callee : Callee{};
}

/// What an actor waits for. A look from outside.
struct Wait {
  RequestPort port;  ///< empty: for nothing
  bool takes_messages = false;
};
Wait wait_of(const Cell& cell) noexcept {
  const std::uintptr_t shown = cell.waits_for.load(std::memory_order_seq_cst);  // pair: show_wait
  auto* slot = reinterpret_cast<AskSlot*>(shown & ~takes_messages_meanwhile);
  if (slot == nullptr) return {};
  const RequestPort port{slot, slot->generation()};
  // Of this life of the slot, and what is read of it after: the store that opened it comes before.
  if (slot->state(port.generation) != SlotState::pending || slot->asked_by() != &cell) return {};
  return {port, (shown & takes_messages_meanwhile) != 0};
}
/// Whether what was just seen of its cell is that actor's: the cell may be another's by now.
bool is_still_there(const Address& actor) noexcept {
  return actor.cell->generation.load(std::memory_order_relaxed) ==  // behind seq_cst loads of its
         actor.generation;                                          // wait, which it ends before
}
/// What keeps an actor from taking messages.
RequestPort waits_of(const Cell& cell) noexcept {
  const Wait wait = wait_of(cell);
  return wait.takes_messages ? RequestPort{} : wait.port;
}

std::string_view what_is_awaited(const MessageType& asked) noexcept {
  if (&asked == &message_type<Slowdown>) return "room in the mailbox";
  if (&asked == &message_type<LentWait>) return "a blocking call or an operation outside";
  if (&asked == &message_type<MessageWait>) return "a message";
  if (&asked == &message_type<AnyWait>) return "the first of several answers";
  return {};
}

}  // namespace

std::optional<TimePoint> waits_since(const Cell& cell) noexcept {
  const RequestPort port = wait_of(cell).port;
  if (port.slot == nullptr) return std::nullopt;
  // Acquire: one that is rough no more has its new begin (partner: the store in begins_now).
  if (port.slot->is_rough.load(std::memory_order_acquire)) return std::nullopt;
  const TimePoint begun{
      Duration{port.slot->begun.load(std::memory_order_relaxed)}};  // published with it
  const bool is_open = port.slot->state(port.generation) == SlotState::pending;  // still its own
  if (!is_open || begun == TimePoint::min()) return std::nullopt;
  return begun;
}

/// Whether whoever is to answer `port` waits, over others or not, for this actor. Writes down who
/// is on the way, if asked to, and who waits for one of several answers there: whether he is part
/// of a ring only he can say. Ends slowdowns on it, which are no part of any ring.
bool Cell::closes_ring(const RequestPort& port, std::vector<Address>* path, Address* any) {
  RequestPort at = port;
  for (int i = 0; i < ring_length_max; ++i) {
    const auto [callee, is_kept] = callee_of_open(at);
    if (callee.cell == nullptr || is_kept || mutant("ring_is_not_seen")) return false;
    if (path != nullptr) path->push_back(callee);
    if (callee.cell == this) return callee.generation == own_generation();
    at = waits_of(*callee.cell);
    if (at.slot == nullptr || !is_still_there(callee)) return false;
    const MessageType* asked = at.slot->asked.load(std::memory_order_relaxed);  // published with it
    if (asked == &message_type<AnyWait> && any != nullptr) *any = callee;
    if (asked == &message_type<Slowdown> && !mutant("slowdown_is_not_lifted")) {
      go_on(at);
      return false;
    }
  }
  return false;
}

namespace {
std::string ring_in_words(const Address& first, const std::vector<Address>& path) {
  std::string text = "waiting would close a ring: " + print(first);
  for (const Address& a : path) text += " -> " + print(a);
  return text;
}
}  // namespace

/// Fails the ask if waiting for it would close a ring (S138). It was published before that this
/// actor waits: of two that close a ring one sees the other.
bool Cell::refuse_cycle(const RequestPort& port) {
  if (is_any(port)) return refuse_any(port);
  Address any;
  if (!closes_ring(port, nullptr, &any)) [[likely]] {
    if (any.cell != nullptr) {
      auto* look = new Command;
      look->kind = CommandKind::look_at_rings;
      look->to_generation = any.generation;
      send_command(*any.cell, look);
    }
    return false;
  }
  std::vector<Address> path;
  if (!closes_ring(port, &path)) return false;  // it opened meanwhile
  fail_reply(port, AskErrorKind::cycle, ring_in_words(address(), path));
  return true;
}

/// await_any closes a ring if all its branches do. A ring through the await_any of two actors is
/// not seen.
bool Cell::refuse_any(const RequestPort& port) {
  const auto& [asks, count] = *std::launder(reinterpret_cast<AnyAsks*>(port.slot->value));
  std::vector<Address> path;
  for (std::size_t i = 0; i < count; ++i) {
    path.clear();
    if (!closes_ring(asks[i], &path)) return false;
  }
  const std::string text = ring_in_words(address(), path);
  for (std::size_t i = 0; i < count; ++i) fail_reply(asks[i], AskErrorKind::cycle, text);
  return true;
}

/// Somebody who waits for this actor has found it waiting for one of several answers.
void Cell::look_at_rings() {
  if (extension == nullptr || mutant("ring_through_any_is_not_seen")) return;
  for (Frame* frame = extension->frames; frame != nullptr; frame = frame->following) {
    const bool keeps_from_messages =  // else there is no ring, though somebody once saw one
        waits_for.load(std::memory_order_relaxed) ==  // the owner's
        reinterpret_cast<std::uintptr_t>(frame->waits_for.slot);
    if (frame->is_ready || !keeps_from_messages || !is_any(frame->waits_for)) continue;
    refuse_any(frame->waits_for);
  }
}

/// Readers wait and a writer is next: from here on what the readers wait for keeps this actor from
/// taking messages. Others see the newest of them only; a ring through another reader is found if
/// it is closed when the writer comes to the front.
void Cell::wait_behind_writer() {
  if (own_type().turns != TurnsKind::readers_together || mutant("writer_hides_a_ring")) return;
  Frame* newest = extension->frames;
  while (newest != nullptr && newest->lent) newest = newest->following;
  const std::uintptr_t shown = waits_for.load(std::memory_order_relaxed);  // the owner's
  const bool is_shown = shown != 0 && (shown & takes_messages_meanwhile) == 0;
  if (newest == nullptr || is_shown) return;
  show_wait(newest->waits_for.slot, true);
  for (Frame* frame = newest; frame != nullptr; frame = frame->following) {
    if (!frame->lent && !frame->is_ready) refuse_cycle(frame->waits_for);
  }
}

std::string why(const Address& actor) {
  std::string text = print(actor);
  Cell* cell = actor.cell;
  for (int i = 0; i < ring_length_max && cell != nullptr; ++i) {
    const auto [port, takes_messages] = wait_of(*cell);
    if (port.slot == nullptr)
      return text + (i == 0 ? " waits for nobody" : ", which waits for nobody");
    const MessageType* asked = port.slot->asked.load(std::memory_order_relaxed);  // a look
    const auto [callee, is_kept] = callee_of_open(port);
    text += i == 0 ? " waits " : ", which waits ";
    text += takes_messages ? "and takes messages meanwhile, for " : "for ";
    const std::string_view what = asked != nullptr ? what_is_awaited(*asked) : "an answer";
    text += what.empty() ? "the answer to " + std::string(asked->text()) : std::string(what);
    if (callee.cell == nullptr) return text;
    text += " from " + print(callee);
    if (is_kept) return text + ", which keeps the duty to answer";
    if (remote_number(callee)) return text + ", on another node";
    cell = callee.cell;
  }
  return text;
}

}  // namespace troupe::detail
