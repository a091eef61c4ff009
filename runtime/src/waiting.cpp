// Handlers that wait: fibers and coroutines, which messages go on meanwhile, and rings of actors
// that wait for each other.
#include <coroutine>
#include <new>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

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

/// No where the actor that is asked waits for nobody, as is usual.
[[gnu::always_inline]] inline bool Cell::may_close_ring(const RequestPort& port) const noexcept {
  const Cell* callee = port.slot->callee_address().cell;
  return callee == this ||
         (callee != nullptr &&
          callee->waits_for.load(std::memory_order_seq_cst) != nullptr);  // pair: link_frame
}

/// False: the ask is over, because waiting for it would have closed a ring.
[[gnu::always_inline]] inline bool Cell::link_frame(Worker& worker, Frame& frame, CellTurn& turn,
                                                    const RequestPort& port) {
  CellExtension& e = ext();
  // While an actor starts or ends it takes no messages, whatever its class says.
  const bool takes_none = own_type().turns != TurnsKind::reentrant || !is(Phase::running);
  const bool reads_on = own_type().turns == TurnsKind::readers_together && turn.is_reader;
  if (takes_none && !reads_on && !frame.lent && !frame.is_idle) {
    waits_for.store(port.slot, std::memory_order_seq_cst);  // pair: refuse_cycle of another actor
    if (may_close_ring(port) && refuse_cycle(port)) {
      waits_for.store(nullptr, std::memory_order_relaxed);  // a hint to others
      return false;
    }
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
  waits_for.store(nullptr, std::memory_order_relaxed);  // a hint to others
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

bool suspend_task(TaskWait& wait, const RequestPort& ask, std::coroutine_handle<> task) {
  Worker* worker = Worker::current();
  auto* turn = worker != nullptr ? static_cast<CellTurn*>(worker->turn) : nullptr;
  if (turn == nullptr || turn->task == nullptr)
    throw UsageError("co_await of an ask is for a Task that a handler returned");
  if (worker->has_abandoned.load(std::memory_order_relaxed) == worker->cell)  // seen soon enough
    turn->cancelled = true;
  if (turn->cancelled) return false;
  auto& frame = *::new (wait.frame) Frame;
  if (!worker->cell->link_frame(*worker, frame, *turn, ask)) return false;
  static_cast<TaskTurn*>(turn)->resume_at = task.address();
  turn->task_waits = true;
  return true;
}

void resumed_task() {
  const auto* turn = static_cast<CellTurn*>(Worker::current()->turn);
  if (turn != nullptr && turn->cancelled) throw Cancelled{};
}

// ---- rings

namespace {

constexpr int ring_length_max = 1000;

/// The actor that the answer to `port` comes from, if the ask is still open; read from any thread.
Address callee_of_open(const RequestPort& port) noexcept {
  const Address callee = port.slot->callee_address();
  return port.slot->state(port.generation) == SlotState::pending ? callee : Address{};
}

/// What an actor waits for, if it takes no messages meanwhile. A look from outside.
RequestPort waits_of(const Cell& cell) noexcept {
  AskSlot* slot = cell.waits_for.load(std::memory_order_seq_cst);  // pair: link_frame
  if (slot == nullptr) return {};
  const RequestPort port{slot, slot->generation()};
  // Of this life of the slot, and what is read of it after: the store that opened it comes before.
  if (slot->state(port.generation) != SlotState::pending) return {};
  return slot->asked_by() == &cell ? port : RequestPort{};
}

}  // namespace

std::optional<TimePoint> waits_since(const Cell& cell) noexcept {
  const RequestPort port = waits_of(cell);
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
/// is on the way, if asked to. Ends slowdowns on it, which are no part of any ring.
bool Cell::closes_ring(const RequestPort& port, std::vector<Address>* path) {
  RequestPort at = port;
  for (int i = 0; i < ring_length_max; ++i) {
    const Address callee = callee_of_open(at);
    if (callee.cell == nullptr || mutant("ring_is_not_seen")) return false;
    if (path != nullptr) path->push_back(callee);
    if (callee.cell == this) return callee.generation == own_generation();
    at = waits_of(*callee.cell);
    if (at.slot == nullptr) return false;
    const MessageType* asked = at.slot->asked.load(std::memory_order_relaxed);  // published with it
    if (asked == &message_type<Slowdown> && !mutant("slowdown_is_not_lifted")) {
      go_on(at);
      return false;
    }
  }
  return false;
}

/// Fails the ask if waiting for it would close a ring (S138). It was published before that this
/// actor waits: of two that close a ring one sees the other.
bool Cell::refuse_cycle(const RequestPort& port) {
  if (!closes_ring(port, nullptr)) [[likely]]
    return false;
  std::vector<Address> path;
  if (!closes_ring(port, &path)) return false;  // it opened meanwhile
  std::string text = "waiting would close a ring: " + print(address());
  for (const Address& a : path) text += " -> " + print(a);
  fail_reply(port, AskErrorKind::cycle, text);
  return true;
}

/// Readers wait and a writer is next: from here on what the readers wait for keeps this actor from
/// taking messages. Others see the newest of them only; a ring through another reader is found if
/// it is closed when the writer comes to the front.
void Cell::wait_behind_writer() {
  if (own_type().turns != TurnsKind::readers_together || mutant("writer_hides_a_ring")) return;
  Frame* newest = extension->frames;
  while (newest != nullptr && newest->lent) newest = newest->following;
  if (newest == nullptr || waits_for.load(std::memory_order_relaxed) != nullptr)
    return;  // the owner's
  waits_for.store(newest->waits_for.slot,
                  std::memory_order_seq_cst);  // pair: refuse_cycle of another actor
  for (Frame* frame = newest; frame != nullptr; frame = frame->following) {
    if (!frame->lent && !frame->is_ready) refuse_cycle(frame->waits_for);
  }
}

std::string why(const Address& actor) {
  std::string text = print(actor);
  Cell* cell = actor.cell;
  for (int i = 0; i < ring_length_max && cell != nullptr; ++i) {
    const RequestPort port = waits_of(*cell);
    if (port.slot == nullptr)
      return text + (i == 0 ? " waits for nobody" : ", which waits for nobody");
    const MessageType* asked = port.slot->asked.load(std::memory_order_relaxed);  // a look
    const Address callee = callee_of_open(port);
    text += i == 0 ? " waits for " : ", which waits for ";
    text += asked == nullptr                   ? "an answer"
            : asked == &message_type<Slowdown> ? "room in the mailbox"
                                               : "the answer to " + std::string(asked->text());
    if (callee.cell == nullptr) return text;
    text += " from " + print(callee);
    cell = callee.cell;
  }
  return text;
}

}  // namespace troupe::detail
