// Sending: envelopes into mailboxes, commands into cells.
#include <new>
#include <optional>
#include <vector>

#include <troupe/runtime/detail/mutant.hpp>

#include "cell.hpp"
#include "memory.hpp"
#include "reaper.hpp"
#include "remote_table.hpp"
#include "system_core.hpp"
#include "trace.hpp"

namespace troupe::detail {

namespace {

template <class E>
[[gnu::always_inline]] inline E* init_envelope(void* block, const MessageType& type,
                                               std::uint16_t size_class, std::uint8_t flags) {
  auto* e = ::new (block) E;
  e->type = &type;
  e->size_class = size_class;
  e->flags = flags;
  return e;
}

/// With the trace in force, if there is one; and whether a block is at hand or not.
template <class E>
[[gnu::noinline]] E* new_envelope_slowly(const MessageType& type, std::size_t bytes,
                                         std::uint8_t flags) {
  const bool is_traced = is_tracing.load(std::memory_order_relaxed);  // see TraceScope
  const TraceContext* trace = is_traced ? trace_in_force() : nullptr;
  if (trace != nullptr) bytes += sizeof(TraceContext);
  const std::uint16_t size_class = size_class_of(bytes);
  E* e = init_envelope<E>(allocate_block(size_class, bytes), type, size_class, flags);
  if (trace != nullptr) put_trace(*e, *trace);
  return e;
}

template <class E>
E* new_wide_envelope(const MessageType& type, std::uint8_t flags) {
  const std::size_t bytes = payload_offset(type.align, true) + type.size;
  const std::uint16_t size_class = size_class_of(bytes);
  if (!is_tracing.load(std::memory_order_relaxed)) [[likely]] {  // see TraceScope
    if (void* block = take_cached_block(size_class)) [[likely]]
      return init_envelope<E>(block, type, size_class, flags);
  }
  return new_envelope_slowly<E>(type, bytes, flags);
}

}  // namespace

// ---- what comes at a time

namespace {
constinit thread_local HeldWakes* held_wakes = nullptr;
}

HeldWakes::HeldWakes() noexcept {
  held_wakes = this;
}

HeldWakes::~HeldWakes() {
  held_wakes = nullptr;
  for (const auto& [core, cell] : woken_) core->executor().submit(*cell);
}

/// False: nothing of this thread's is held.
[[gnu::noinline]] bool hold_wake(SystemCore& core, Cell& cell) {
  if (held_wakes == nullptr) return false;
  held_wakes->woken_.emplace_back(&core, &cell);
  return true;
}

// Not inlined into handlers, whose thread may change at each wait: see free_block.
[[gnu::noinline]] Envelope* new_envelope(const MessageType& type, std::size_t bytes) {
  const std::uint16_t size_class = size_class_of(bytes);
  if (!is_tracing.load(std::memory_order_relaxed)) [[likely]] {  // see TraceScope
    if (void* block = take_cached_block(size_class)) [[likely]]
      return init_envelope<Envelope>(block, type, size_class, 0);
  }
  return new_envelope_slowly<Envelope>(type, bytes, 0);
}

RequestEnvelope* new_forwarded(const MessageType& type) {
  return new_wide_envelope<RequestEnvelope>(type, is_wide | is_request);
}

RequestEnvelope* new_request(const Address& to, const MessageType& type,
                             std::chrono::nanoseconds timeout,
                             void (*destroy)(void* answer) noexcept) {
  RequestEnvelope* e = new_forwarded(type);
  AskSlot* slot = take_slot(to, timeout);
  slot->destroy = destroy;
  slot->asked.store(&type, std::memory_order_relaxed);  // published by waits_for
  e->port = {slot, slot->generation()};
  return e;
}

Envelope* new_tick(const MessageType& type) {
  return new_wide_envelope<TickEnvelope>(type, is_wide | is_timer_tick);
}

void discard_envelope(Envelope* e) noexcept {
  free_block(e->size_class, e);
}

void discard_request(RequestEnvelope* e) noexcept {
  if (e->port.slot != nullptr) release_slot(e->port);
  free_block(e->size_class, e);
}

namespace {

void report_drop(SystemCore& core, const Address& to, Envelope* e, DropReason reason) noexcept {
  if (mutant("drop_without_dead_letter") || same_type(e->type, &message_type<MailMark>)) return;
  core.dead_letters().add({Ref<>{e->from}, Ref<>{to}, e->type->text(), reason});
}

/// The receiver can't have it: dead letter, failed ask.
Sent drop(SystemCore* core, const Address& to, Envelope* e, DropReason reason,
          Sent result) noexcept {
  if (core != nullptr) report_drop(*core, to, e, reason);
  if ((e->flags & is_request) != 0) {
    auto& request = static_cast<RequestEnvelope&>(*e);
    const auto kind = reason == DropReason::system_stopped ? AskErrorKind::system_stopped
                      : reason == DropReason::mailbox_full || reason == DropReason::over_budget
                          ? AskErrorKind::mailbox_full
                          : AskErrorKind::receiver_down;
    const RequestPort port = std::exchange(request.port, {});
    if (port.slot != nullptr) fail_reply(port, kind, to_string(reason));
  }
  destroy_envelope(e);
  return result;
}

void schedule(SystemCore& core, Worker* worker, Cell& cell) noexcept {
  if (worker != nullptr) {
    worker->push(cell);
  } else if (!hold_wake(core, cell)) {
    core.executor().submit(cell);
  }
}

/// A message that found no room in a locked lane, and what its options make of it.
Sent overflow(SystemCore& core, const Address& to, Envelope* e, const MailboxOptions& options) {
  switch (options.on_full) {
    case Overflow::redirect:
      if ((e->flags & is_redirected) != 0)  // else two full mailboxes would pass it on for ever
        return drop(&core, to, e, DropReason::mailbox_full, Sent::full);
      e->flags |= is_redirected;
      if ((e->flags & is_request) != 0)  // the edge of the graph of waits moves, as in forward
        waits_for(static_cast<RequestEnvelope*>(e)->port, options.redirect_to.address());
      return send(options.redirect_to.address(), e);
    case Overflow::transform:
      for (const Transform& t : options.transforms) {
        if (!same_type(t.type, e->type)) continue;
        try {
          t.function(payload(*e));
        } catch (...) {  // user code, on the thread of a sender that is to hear of nothing
          return drop(&core, to, e, DropReason::mailbox_full, Sent::full);
        }
        core.count_drop(DropReason::mailbox_full);
        if ((e->flags & is_request) != 0) {
          const RequestPort port = std::exchange(static_cast<RequestEnvelope*>(e)->port, {});
          if (port.slot != nullptr)
            fail_reply(port, AskErrorKind::mailbox_full, to_string(DropReason::mailbox_full));
        }
        destroy_envelope(e);
        return Sent::ok;
      }
      return drop(&core, to, e, DropReason::mailbox_full, Sent::full);
    case Overflow::drop_new:
      drop(&core, to, e, DropReason::mailbox_full, Sent::full);
      return Sent::ok;
    default: return drop(&core, to, e, DropReason::mailbox_full, Sent::full);
  }
}

[[gnu::noinline]] Sent put_in_lane(SystemCore& core, Worker* worker, const Address& to,
                                   Envelope* e) noexcept {
  const auto lane = core.locked_lanes().find(to.serial);
  if (lane == nullptr) return drop(&core, to, e, DropReason::no_actor, Sent::dead);
  Envelope* left = nullptr;
  const bool is_poison = (e->flags & is_notice) != 0;  // a signal: no bound is for it
  switch (is_poison ? lane->put_uncounted(e) : lane->put(e, left)) {
    case LockedLane::Put::closed: return drop(&core, to, e, DropReason::no_actor, Sent::dead);
    case LockedLane::Put::full: return overflow(core, to, e, lane->options());
    case LockedLane::Put::displaced:
      if (left != nullptr) drop(&core, to, left, DropReason::mailbox_full, Sent::full);
      break;
    case LockedLane::Put::in:
      to.cell->pushed.fetch_add(1, std::memory_order_relaxed);  // a figure for reports
      break;
  }
  if (Mailbox::claim(to.cell->in)) schedule(core, worker, *to.cell);
  return Sent::ok;
}

/// True: a test kit keeps the message.
bool is_taken(SystemCore& core, const Address& to, Envelope* e,
              std::optional<Duration> delay = {}) {
  Delivery* delivery = core.delivery();
  return delivery != nullptr && delivery->takes(to, e, delay);
}

bool is_stale(const Address& to) noexcept {
  return to.cell->generation.load(std::memory_order_relaxed) !=
         to.generation;  // a shortcut: the receiver looks again
}

constexpr std::uint32_t much_mail = 1000;  // who has more is refused first when memory runs short
constexpr std::uint32_t slow_look_interval = 64;  // messages that wake nobody, at each receiver

/// The memory budget is used up, and this receiver may have no more.
bool is_over_budget(SystemCore& core, const Address& to) noexcept {
  const Pressure pressure = core.memory_watch().pressure();
  if (mutant("memory_budget_is_ignored")) return false;
  return pressure == Pressure::everybody ||
         (pressure == Pressure::full_mailboxes && mailbox_length(*to.cell) > much_mail);
}

/// Asked on the ways that are not hot only: others lead here while an actor is abandoned.
bool is_sent_by_abandoned(const Worker* worker) noexcept {
  return worker != nullptr && worker->cell != nullptr && is_abandoned(worker->cell, worker) &&
         !mutant("abandoned_actor_goes_on_sending");
}

/// Where a test kit delivers.
Sent put_by_delivery(SystemCore& core, Worker* worker, const Address& to, Envelope* e) noexcept {
  if (is_taken(core, to, e)) return Sent::ok;
  if (is_stale(to)) return drop(&core, to, e, DropReason::no_actor, Sent::dead);
  if ((to.generation & has_locked_lane) != 0) return put_in_lane(core, worker, to, e);
  core.delivery()->post_message(e->from.serial, *to.cell, e);
  slow_sender(core, worker, to);
  return Sent::ok;
}

[[gnu::always_inline]] inline Sent put(SystemCore& core, Worker* worker, const Address& to,
                                       Envelope* e) noexcept {
  Cell& cell = *to.cell;
  if (is_stale(to)) return drop(&core, to, e, DropReason::no_actor, Sent::dead);
  if ((to.generation & has_locked_lane) != 0) return put_in_lane(core, worker, to, e);
  const bool wakes = Mailbox::push(cell.in, e);
  count_push(cell, wakes);
  if (wakes) {
    if (!mutant("message_wakes_nobody")) schedule(core, worker, cell);
  } else if (cell.pushed.load(std::memory_order_relaxed) % slow_look_interval ==  // a sample
             0) [[unlikely]] {
    slow_sender(core, worker, to);
  }
  return Sent::ok;
}

/// Where memory is short, an actor is abandoned, or a test kit delivers.
[[gnu::noinline]] Sent put_with_care(SystemCore& core, Worker* worker, const Address& to,
                                     Envelope* e) noexcept {
  if (is_sent_by_abandoned(worker)) return drop(&core, to, e, DropReason::abandoned, Sent::dead);
  if (!is_stale(to) && is_over_budget(core, to))
    return drop(&core, to, e, DropReason::over_budget, Sent::budget);
  return core.delivery() != nullptr ? put_by_delivery(core, worker, to, e)
                                    : put(core, worker, to, e);
}

[[gnu::always_inline]] inline Sent put_or_refuse(SystemCore& core, Worker* worker,
                                                 const Address& to, Envelope* e) noexcept {
  if (core.sends_with_care()) [[unlikely]]
    return put_with_care(core, worker, to, e);
  return put(core, worker, to, e);
}

/// From a thread that is no worker of the receiver's System.
[[gnu::noinline]] Sent send_from_outside(Worker* worker, const Address& to, Envelope* e) noexcept {
  if (to.cell == nullptr)
    return drop(worker != nullptr ? &worker->core : nullptr, to, e, DropReason::no_actor,
                Sent::dead);
  SystemGate* gate = to.cell->gate.load(std::memory_order_acquire);  // partner: the store at spawn
  if (worker != nullptr) {
    const bool is_remote = gate != nullptr && gate->remote != nullptr &&
                           gate->core.load(std::memory_order_relaxed) ==  // it does not end
                               &worker->core;
    if (!is_remote)
      return drop(&worker->core, to, e, DropReason::foreign_system, Sent::foreign_system);
    if (is_sent_by_abandoned(worker))
      return drop(&worker->core, to, e, DropReason::abandoned, Sent::dead);
    return gate->remote->peer().send(to, e);
  }
  SystemCore* core = gate != nullptr ? gate->enter() : nullptr;
  if (core == nullptr) return drop(nullptr, to, e, DropReason::system_stopped, Sent::dead);
  const Sent sent = gate->remote != nullptr ? gate->remote->peer().send(to, e)
                                            : put_or_refuse(*core, nullptr, to, e);
  gate->leave();
  return sent;
}

}  // namespace

[[gnu::noinline]] Sent send(const Address& to, Envelope* e) noexcept {
  e->to_generation = to.generation;
  Worker* worker = Worker::current_here();
  if (worker != nullptr && worker->cell != nullptr) e->from = worker->cell->address();
  if (worker == nullptr || to.cell == nullptr ||
      to.cell->gate.load(std::memory_order_relaxed) != &worker->core.gate())
      [[unlikely]] {  // only compared
    return send_from_outside(worker, to, e);
  }
  return put_or_refuse(worker->core, worker, to, e);
}

void send_here(System& system, const Address& to, Envelope* e) noexcept {
  e->to_generation = to.generation;
  put_or_refuse(system.core(), nullptr, to, e);
}

void send_due(SystemCore& core, const Address& to, Envelope* e) noexcept {
  e->to_generation = to.generation;
  const SystemGate* gate = to.cell->gate.load(std::memory_order_acquire);  // as in send_later
  if (gate->remote != nullptr) {
    gate->remote->peer().send(to, e);
  } else if (core.delivery() != nullptr) {
    put_by_delivery(core, nullptr, to, e);
  } else {
    put(core, nullptr, to, e);
  }
}

RequestPort send_request(const Address& to, RequestEnvelope* e) noexcept {
  const RequestPort port = e->port;
  send(to, e);
  return port;
}

namespace {
void send_to_node_when_room(Worker* worker, SystemGate& gate, const Address& to, Envelope* e,
                            const RequestPort& waiter) noexcept {
  SystemCore* const core = gate.enter();
  const bool is_foreign = worker != nullptr && &worker->core != core;
  e->to_generation = to.generation;
  if (worker != nullptr && worker->cell != nullptr) e->from = worker->cell->address();
  const auto why_not = core == nullptr                ? std::optional(DropReason::system_stopped)
                       : is_foreign                   ? std::optional(DropReason::foreign_system)
                       : is_sent_by_abandoned(worker) ? std::optional(DropReason::abandoned)
                                                      : std::nullopt;
  if (why_not) {
    drop(core, to, e, *why_not, Sent::dead);
    fail_reply(waiter, AskErrorKind::receiver_down, to_string(*why_not));
  } else {
    gate.remote->peer().send_when_room(to, e, waiter);
  }
  if (core != nullptr) gate.leave();
}
}  // namespace

RequestPort send_when_room(const Address& to, Envelope* e, std::chrono::nanoseconds timeout) {
  const RequestPort port = open_slot(to, timeout, reply_destroyer<void>());
  Worker* worker = Worker::current();
  SystemGate* gate = to.cell != nullptr ? to.cell->gate.load(std::memory_order_acquire)
                                        : nullptr;  // partner: the store at spawn
  if (gate != nullptr && gate->remote != nullptr) {
    send_to_node_when_room(worker, *gate, to, e, port);
    return port;
  }
  const bool is_foreign = worker != nullptr && gate != &worker->core.gate();
  SystemCore* core = gate != nullptr && !is_foreign ? gate->enter() : nullptr;
  const auto lane = core != nullptr && (to.generation & has_locked_lane) != 0
                        ? core->locked_lanes().find(to.serial)
                        : nullptr;
  if (core != nullptr && is_taken(*core, to, e)) {
    answer_done(port);
  } else if (core != nullptr && is_sent_by_abandoned(worker)) {
    drop(core, to, e, DropReason::abandoned, Sent::dead);
    fail_reply(port, AskErrorKind::receiver_down, to_string(DropReason::abandoned));
  } else if (lane != nullptr && is_over_budget(*core, to)) {
    e->to_generation = to.generation;
    drop(core, to, e, DropReason::over_budget, Sent::budget);
    fail_reply(port, AskErrorKind::mailbox_full, to_string(DropReason::over_budget));
  } else if (lane == nullptr) {
    switch (send(to, e)) {
      case Sent::ok: answer_done(port); break;
      case Sent::budget:
        fail_reply(port, AskErrorKind::mailbox_full, to_string(DropReason::over_budget));
        break;
      default: fail_reply(port, AskErrorKind::receiver_down, "the actor has ended");
    }
  } else {
    e->to_generation = to.generation;
    if (worker != nullptr && worker->cell != nullptr) e->from = worker->cell->address();
    std::vector<Envelope*> late;
    switch (lane->put_or_wait(e, port, late)) {
      case LockedLane::Put::closed:
        drop(core, to, e, DropReason::no_actor, Sent::dead);
        fail_reply(port, AskErrorKind::receiver_down, "the actor has ended");
        break;
      case LockedLane::Put::in:
        to.cell->pushed.fetch_add(1, std::memory_order_relaxed);  // a figure for reports
        if (Mailbox::claim(to.cell->in)) schedule(*core, worker, *to.cell);
        answer_done(port);
        break;
      default: break;  // it waits in line
    }
    for (Envelope* given_up : late) drop(core, to, given_up, DropReason::mailbox_full, Sent::full);
  }
  if (core != nullptr) gate->leave();
  return port;
}

Sent send_urgent(const Address& to, Envelope* e) noexcept {
  e->to_generation = to.generation;
  Worker* worker = Worker::current();
  if (worker != nullptr && worker->cell != nullptr) e->from = worker->cell->address();
  if (to.cell == nullptr) return send_from_outside(worker, to, e);
  SystemGate* gate = to.cell->gate.load(std::memory_order_acquire);   // partner: the store at spawn
  const bool is_remote = gate != nullptr && gate->remote != nullptr;  // where no lane is urgent
  if (is_remote || (worker != nullptr && gate != &worker->core.gate()))
    return send_from_outside(worker, to, e);
  SystemCore* core = gate != nullptr ? gate->enter() : nullptr;
  if (core == nullptr) return drop(nullptr, to, e, DropReason::system_stopped, Sent::dead);
  Sent sent = Sent::ok;
  if (is_taken(*core, to, e)) {
    // as if sent
  } else if (is_sent_by_abandoned(worker)) {
    sent = drop(core, to, e, DropReason::abandoned, Sent::dead);
  } else if (is_stale(to)) {
    sent = drop(core, to, e, DropReason::no_actor, Sent::dead);
  } else if (is_over_budget(*core, to)) {
    sent = drop(core, to, e, DropReason::over_budget, Sent::budget);
  } else {
    auto* urgent = new UrgentCommand;
    urgent->kind = CommandKind::urgent;
    urgent->to_generation = to.generation;
    urgent->message = e;
    send_command(*to.cell, urgent);
  }
  gate->leave();
  return sent;
}

void put_command(SystemCore& core, Worker* worker, Cell& to, Command* command, std::uint32_t lane) {
  if (Delivery* delivery = core.delivery(); delivery != nullptr) {
    const std::uint32_t sender =
        worker != nullptr && worker->cell != nullptr ? worker->cell->serial : 0;
    delivery->post_command(sender | lane, to, command);
  } else if (Mailbox::push_command(to.in, to.out, command)) {
    schedule(core, worker, to);
  }
}

void send_command(Cell& to, Command* command) {
  SystemGate* gate = to.gate.load(std::memory_order_acquire);  // partner: the store at spawn
  Worker* worker = Worker::current_here();
  const bool is_inside = worker != nullptr && &worker->core.gate() == gate;
  if (is_inside) {
    put_command(worker->core, worker, to, command, 0);
    return;
  }
  SystemCore* core = gate->enter();
  TROUPE_CHECK(core != nullptr, "a command for a cell whose System is gone");
  if (gate->remote != nullptr) {
    gate->remote->send(to, command);
  } else {
    put_command(*core, nullptr, to, command, 0);
  }
  gate->leave();
}

std::string print(const Address& address) {
  if (address.cell == nullptr) return "(nobody)";
  if (const auto remote = remote_name(address))
    return "troupe://" + std::string(remote->address) + "/#" + std::to_string(remote->actor);
  std::string path;
  if (SystemGate* gate =
          address.cell->gate.load(std::memory_order_acquire)) {  // partner: the store at spawn
    if (SystemCore* core = gate->enter()) {
      path = core->names().path_of(address.serial);
      gate->leave();
    }
  }
  return path.empty() ? "#" + std::to_string(address.serial) : path;
}

Sent send_later(const Address& to, std::chrono::nanoseconds delay, Envelope* e) {
  SystemGate* gate = to.cell != nullptr ? to.cell->gate.load(std::memory_order_acquire)
                                        : nullptr;  // partner: spawn
  SystemCore* core = gate != nullptr ? gate->enter() : nullptr;
  if (core == nullptr) return drop(nullptr, to, e, DropReason::system_stopped, Sent::dead);
  if (is_taken(*core, to, e, delay)) {
    gate->leave();
    return Sent::ok;
  }
  if (is_sent_by_abandoned(Worker::current())) {
    const Sent sent = drop(core, to, e, DropReason::abandoned, Sent::dead);
    gate->leave();
    return sent;
  }
  core->timers().send_at(deadline_after(core->now(), delay), to, e);
  gate->leave();
  return Sent::ok;
}

}  // namespace troupe::detail
