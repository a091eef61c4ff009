#include "ask_slots.hpp"

#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

#include "cell.hpp"
#include "futex.hpp"
#include "remote_table.hpp"
#include "slab.hpp"
#include "spin_lock.hpp"
#include "system_core.hpp"

namespace troupe::detail {

namespace {

// Free slots: a thread's own, and batches in a process-wide depot, as for envelopes (memory.cpp),
// but never reused for anything else.
constexpr std::uint32_t batch_slots = 32;
constexpr std::uint32_t cache_slots_max = 4 * batch_slots;

class SlotDepot {
 public:
  AskSlot* take() {
    std::lock_guard guard(lock_);
    if (batches_ == nullptr) return carve();
    return std::exchange(batches_, std::exchange(batches_->previous, nullptr));
  }
  void give(AskSlot* batch) noexcept {
    std::lock_guard guard(lock_);
    batch->previous = std::exchange(batches_, batch);
  }

  [[nodiscard]] std::uint64_t out() {
    std::lock_guard guard(lock_);
    std::uint64_t free = 0;
    for (AskSlot* batch = batches_; batch != nullptr; batch = batch->previous)
      for (AskSlot* s = batch; s != nullptr; s = s->following) ++free;
    return carved_ - free;
  }

 private:
  AskSlot* carve() {
    std::byte* const memory = slabs_.take(batch_slots * sizeof(AskSlot));
    carved_ += batch_slots;
    AskSlot* first = nullptr;
    for (std::uint32_t i = 0; i < batch_slots; ++i) {
      auto* slot = ::new (memory + i * sizeof(AskSlot)) AskSlot;
      slot->following = std::exchange(first, slot);
    }
    return first;
  }
  SpinLock lock_;
  AskSlot* batches_ = nullptr;  // linked by `previous`; the slots of a batch by `following`
  std::uint64_t carved_ = 0;
  SlabCarver slabs_;
};
constinit SlotDepot slot_depot;

struct SlotCache {
  AskSlot* free;
  std::uint32_t count;
  ~SlotCache();
};
[[gnu::tls_model(
    "initial-exec")]] constinit thread_local SlotCache slot_cache{};  // see block_cache

void give_slots(SlotCache& cache, std::uint32_t count) noexcept {
  AskSlot* first = cache.free;
  AskSlot* last = first;
  for (std::uint32_t i = 1; i < count; ++i) last = last->following;
  cache.free = std::exchange(last->following, nullptr);
  cache.count -= count;
  slot_depot.give(first);
}

SlotCache::~SlotCache() {
  if (count > 0) give_slots(*this, count);
}

[[gnu::noinline]] void refill_slots(SlotCache& cache) {
  cache.free = slot_depot.take();
  cache.count = 0;
  for (AskSlot* s = cache.free; s != nullptr; s = s->following) ++cache.count;
}

[[gnu::noinline]] AskSlot* take_free_slot() {
  asm volatile(
      "");  // a thread-local address must not be kept over a switch that changes the thread
  SlotCache& cache = slot_cache;
  if (cache.free == nullptr) refill_slots(cache);
  AskSlot* slot = std::exchange(cache.free, cache.free->following);
  --cache.count;
  return slot;
}

[[gnu::noinline]] void give_free_slot(AskSlot* slot) noexcept {
  asm volatile("");  // as above
  SlotCache& cache = slot_cache;
  slot->following = std::exchange(cache.free, slot);
  if (++cache.count >= cache_slots_max) give_slots(cache, batch_slots);
}

void add_to_asks(CellExtension& e, AskSlot* slot) {
  slot->previous = nullptr;
  slot->following = e.asks;
  if (e.asks != nullptr) e.asks->previous = slot;
  e.asks = slot;
}

void remove_from_asks(AskSlot* slot) noexcept {
  CellExtension& e = *slot->asked_by()->extension;
  (slot->previous != nullptr ? slot->previous->following : e.asks) = slot->following;
  if (slot->following != nullptr) slot->following->previous = slot->previous;
}

/// When an ask began, and when its time is up.
struct BegunAsk {
  TimePoint begun = TimePoint::min();  ///< not looked up where there is no deadline
  TimePoint deadline = TimePoint::max();
  bool is_rough = false;       ///< `begun` is a guess
  bool is_looked_for = false;  ///< the asker's timer comes soon enough
};
BegunAsk begin_at(TimePoint now, Duration timeout) noexcept {
  return {now, deadline_after(now, timeout)};
}
std::chrono::nanoseconds in_full(const SystemCore& core,
                                 std::chrono::nanoseconds timeout) noexcept {
  if (timeout == default_timeout) timeout = core.options().ask_timeout;
  return std::max(timeout, Duration::zero());
}
/// Of a thread outside.
BegunAsk begin_ask(SystemCore* core, std::chrono::nanoseconds timeout) {
  if (core == nullptr) return {};
  timeout = in_full(*core, timeout);
  return timeout == no_timeout ? BegunAsk{} : begin_at(core->now(), timeout);
}

// Reading the clock is a sixth of an ask that does. So who asks often begins a far-off timeout by a
// guess: some moment that is not after now. Its timer looks soon, and counts the timeout from there
// (Cell::timeout_asks): never early, and late by less than a look's distance, which is its period.
constexpr Duration far_off = std::chrono::seconds{1};
constexpr std::uint8_t often = 64;  // asks since the last look, which cost as much as it does
constexpr int looks_log2 = 5;       // a timeout is looked at after its 32nd part

/// An actor's.
BegunAsk begin_ask(SystemCore& core, CellExtension& e, std::chrono::nanoseconds timeout) {
  timeout = in_full(core, timeout);
  if (timeout == no_timeout) return {};
  if (timeout < far_off) return begin_at(core.now(), timeout);
  if (e.asks_since_look < often) {
    ++e.asks_since_look;
    return begin_at(core.now(), timeout);
  }
  const TimerRecord* look = e.ask_timer;
  const Duration distance{timeout.count() >> looks_log2};
  const bool comes_soon =
      look != nullptr && look->armed && look->period > Duration::zero() && look->period <= distance;
  BegunAsk ask =
      begin_at(comes_soon ? look->due - look->period : core.options().clock->recent(), timeout);
  ask.is_rough = true;
  ask.is_looked_for = comes_soon;
  return ask;
}

/// An actor has one armed timer for all its asks: the earliest deadline, or a look before
/// (DESIGN.md D12).
void arm_ask_timer(Cell& asker, CellExtension& e, const BegunAsk& ask) {
  const Duration distance{ask.is_rough ? (ask.deadline - ask.begun).count() >> looks_log2 : 0};
  const TimePoint due = ask.is_rough ? ask.begun + distance : ask.deadline;
  if (e.ask_timer == nullptr) {
    e.ask_timer = new TimerRecord;
    e.ask_timer->purpose = TimerPurpose::ask_deadline;
  } else if (e.ask_timer->armed) {
    if (e.ask_timer->due <= due || !asker.core().timers().disarm(*e.ask_timer))
      return;  // or it fires now and looks at all asks
  }
  e.ask_timer->period = distance;
  arm_cell_timer(asker, *e.ask_timer, due);
}

[[gnu::always_inline]] inline AskSlot* open(Cell* asker, SystemGate* gate, const Address& callee,
                                            const BegunAsk& ask) {
  AskSlot* slot = take_free_slot();
  slot->asker.store(asker, std::memory_order_relaxed);  // published by the request
  slot->gate.store(gate, std::memory_order_relaxed);    // published by the request
  slot->open_for(callee);
  slot->asked.store(nullptr, std::memory_order_relaxed);  // published by waits_for
  slot->kind = CommandKind::answered;
  slot->command_expected = asker != nullptr;
  slot->is_rough.store(ask.is_rough, std::memory_order_relaxed);  // published by the request
  slot->begun.store(ask.begun.time_since_epoch().count(),
                    std::memory_order_relaxed);  // published by the request
  slot->deadline.store(ask.deadline.time_since_epoch().count(),
                       std::memory_order_relaxed);  // published by the request
  if (asker != nullptr) {
    slot->to_generation =
        asker->generation.load(std::memory_order_relaxed);  // the owner's own write
    CellExtension& e = *asker->extension;
    add_to_asks(e, slot);
    if (ask.deadline != TimePoint::max() && !ask.is_looked_for) arm_ask_timer(*asker, e, ask);
  }
  slot->word.open();
  return slot;
}

/// A free slot has no frame, no callback, no error, and its answer no destructor: those who end it
/// see to the first three.
void free_slot(AskSlot* slot) noexcept {
  slot->abandoned = false;
  slot->destroy = nullptr;
  give_free_slot(slot);
}

}  // namespace

std::uint64_t ask_slots_in_use() {
  return slot_depot.out() - slot_cache.count;
}

[[gnu::noinline]] AskSlot* take_slot(const Address& callee, std::chrono::nanoseconds timeout) {
  Worker* worker = Worker::current_here();
  Cell* asker = worker != nullptr ? worker->cell : nullptr;
  if (asker != nullptr)
    return open(asker, &worker->core.gate(), callee,
                begin_ask(worker->core, asker->ext(), timeout));
  SystemGate* gate = callee.cell != nullptr ? callee.cell->gate.load(std::memory_order_acquire)
                                            : nullptr;  // spawn
  SystemCore* core = gate != nullptr ? gate->enter() : nullptr;
  AskSlot* slot = open(nullptr, gate, callee, begin_ask(core, timeout));
  if (core != nullptr) gate->leave();
  return slot;
}

RequestPort open_slot(const Address& callee, std::chrono::nanoseconds timeout,
                      void (*destroy)(void* answer) noexcept) {
  AskSlot* slot = take_slot(callee, timeout);
  slot->destroy = destroy;
  return {slot, slot->generation()};
}

RequestPort open_slot_for(System& system, std::chrono::nanoseconds timeout,
                          void (*destroy)(void* answer) noexcept) {
  SystemCore& core = system.core();
  const Worker* worker = Worker::current();
  if (worker != nullptr && worker->cell != nullptr) return open_slot({}, timeout, destroy);
  AskSlot* slot = open(nullptr, &core.gate(), {}, begin_ask(&core, timeout));
  slot->destroy = destroy;
  return {slot, slot->generation()};
}

bool win_slot(const RequestPort& port) noexcept {
  return port.slot->word.win(port.generation);
}

[[gnu::noinline]] void publish_slot(AskSlot& slot, SlotState outcome) noexcept {
  const auto also = slot.also.take();
  Cell* const asker = slot.asked_by();
  if (asker != nullptr) {
    // While the slot is being written its asker can't end, nor its System. Once it is published
    // they may: a thread from outside enters before.
    SystemGate* gate = asker->gate.load(std::memory_order_relaxed);  // constant while it waits
    Worker* worker = Worker::current_here();
    const bool is_inside = worker != nullptr && &worker->core.gate() == gate;
    SystemCore* const core = is_inside ? &worker->core : gate->enter();
    slot.word.publish(outcome);
    if (is_inside) {
      put_command(*core, worker, *asker, &slot, answer_lane);
    } else if (core != nullptr) {
      if (gate->remote != nullptr) {
        gate->remote->send(*asker, &slot);
      } else {
        put_command(*core, nullptr, *asker, &slot, answer_lane);
      }
      gate->leave();
    }
  } else {
    slot.word.publish(outcome);  // from here on it may be another ask's: a stray wake at most
    slot.changed.fetch_add(1, std::memory_order_seq_cst);
    futex_wake_all(slot.changed);
  }
  const RequestPort other{also.slot, also.generation};
  if (other.slot != nullptr && win_slot(other)) publish_slot(*other.slot, SlotState::value);
}

void slot_completed(AskSlot& slot, Cell& cell) {
  slot.command_expected = false;
  if (slot.abandoned) {
    free_slot(&slot);
    return;
  }
  if (slot.frame != nullptr) {
    cell.make_ready(*slot.frame);
  } else if (slot.callback.function != nullptr) {
    const AskCallback callback = std::exchange(slot.callback, {});
    std::exception_ptr error;
    try {
      callback.run(callback.function, {&slot, slot.generation()}, cell);
    } catch (...) {  // the function given to pipe_to_self: a failure of its actor
      error = std::current_exception();
    }
    callback.drop(callback.function);
    if (error && cell.is(Phase::running)) {
      cell.fail(ExitReason::failure("the function given to pipe_to_self threw", error), false);
    }
  }
}

// ---- asks of other nodes' actors

namespace {
/// Whose it is: what a callback is to an ask of one's own.
struct RemoteAsker {
  Address asker;
  std::uint64_t request;
};
RemoteAsker* remote_asker(const AskSlot& slot) noexcept {
  return static_cast<RemoteAsker*>(slot.callback.function);
}
void free_remote_slot(AskSlot& slot) noexcept {
  delete remote_asker(slot);
  slot.callback = {};
  slot.command_expected = false;
  free_slot(&slot);
}
}  // namespace

RequestPort open_remote_ask(const Address& asker, const Address& to, std::uint64_t request,
                            const MessageType& asked, std::chrono::nanoseconds timeout) {
  SystemGate* gate =
      asker.cell->gate.load(std::memory_order_acquire);  // partner: RemoteTable's new_stub
  SystemCore* core = gate->enter();
  AskSlot* slot = open(nullptr, gate, to, begin_ask(core, timeout));
  if (core != nullptr) gate->leave();
  slot->asker.store(asker.cell, std::memory_order_relaxed);  // published by the request
  slot->asked.store(&asked, std::memory_order_relaxed);      // published by the request
  slot->to_generation = asker.generation;
  slot->destroy = asked.reply->destroy;
  slot->callback.function = new RemoteAsker{asker, request};
  return {slot, slot->generation()};
}

std::chrono::nanoseconds time_left(const RequestPort& ask, TimePoint now) noexcept {
  if (ask.slot->state(ask.generation) != SlotState::pending) return {};
  const TimePoint deadline{
      Duration{ask.slot->deadline.load(std::memory_order_relaxed)}};  // published by the request
  if (deadline == TimePoint::max()) return no_timeout;
  return std::max(deadline - now, Duration::zero());
}

void answer_with(const RequestPort& ask, const ReplyType& type,
                 const std::function<void(void* reply)>& read) noexcept {
  void* const storage = begin_reply(ask);
  if (storage == nullptr) return;
  bool is_constructed = false;
  try {
    if (type.construct != nullptr) {
      void* const reply = type.construct(storage);
      is_constructed = true;
      read(reply);
    }
    finish_reply(ask);
  } catch (const std::exception& e) {
    if (is_constructed && type.destroy != nullptr) type.destroy(storage);
    ask.slot->error = new AskError{AskErrorKind::unknown_type, e.what()};
    end_stop_token(*ask.slot, false);
    publish_slot(*ask.slot, SlotState::failed);
  }
}

void give_up_remote_ask(const RequestPort& ask) noexcept {
  AskSlot& slot = *ask.slot;
  if (slot.state(ask.generation) != SlotState::pending || !slot.word.give_up(ask.generation))
    return;
  end_stop_token(slot, true);
  free_remote_slot(slot);
}

void take_remote_answer(AskSlot& slot, RemotePeer& peer) noexcept {
  const std::uint32_t life = slot.generation();
  const RemoteAsker asker = *remote_asker(slot);
  const MessageType* const asked =
      slot.asked.load(std::memory_order_relaxed);  // published by the request
  RemoteAnswer answer{
      slot.callee_address(), asker.asker, asker.request, asked, nullptr, slot.error};
  const ReplyType& type = *answer.asked->reply;
  if (answer.error == nullptr && type.value != nullptr) answer.value = type.value(slot.value);
  peer.answer(answer);
  if (answer.error == nullptr && slot.destroy != nullptr) slot.destroy(slot.value);
  delete std::exchange(slot.error, nullptr);
  slot.word.close(life);
  free_remote_slot(slot);
}

void* begin_reply(const RequestPort& port) noexcept {
  if (win_slot(port)) return port.slot->value;
  if (mutant("late_answer_is_not_counted")) return nullptr;
  SystemGate* gate = port.slot->gate.load(std::memory_order_relaxed);  // for a count only
  if (SystemCore* core = gate != nullptr ? gate->enter() : nullptr) {
    core->count_drop(DropReason::late_reply);
    gate->leave();
  }
  return nullptr;
}

void finish_reply(const RequestPort& port) noexcept {
  end_stop_token(*port.slot, false);
  publish_slot(*port.slot, SlotState::value);
}

void fail_reply(const RequestPort& port, AskErrorKind kind, std::string_view what) noexcept {
  if (!win_slot(port)) return;
  port.slot->error = new AskError{kind, std::string(what)};
  end_stop_token(*port.slot, kind == AskErrorKind::timeout);
  publish_slot(*port.slot, SlotState::failed);
}

AskError why_reply_was_dropped() {
  Worker* worker = Worker::current();
  const bool actor_ends =
      worker != nullptr && worker->cell != nullptr && !worker->cell->is(Phase::running);
  if (actor_ends) return {AskErrorKind::receiver_down, "the actor has ended"};
  return {AskErrorKind::no_reply, "the duty to answer was dropped"};
}

RequestPort kept(const RequestPort& port) noexcept {
  if (port.slot != nullptr && !mutant("kept_duty_is_judged"))
    port.slot->keep_duty(port.generation, true);
  return port;
}

void drop_reply(const RequestPort& port) noexcept {
  const AskError why = why_reply_was_dropped();
  fail_reply(port, why.kind, why.what);
}

void await_slot(const RequestPort& ask) {
  AskSlot& slot = *ask.slot;
  Worker* worker = Worker::current();
  if (worker != nullptr) {
    if (worker->cell == nullptr || worker->turn == nullptr) {
      if (slot.is_over(ask.generation)) return;
      if (worker->cell != nullptr) throw UsageError(why_not_wait);
      throw UsageError(
          "await on a thread of the System that runs no actor would block it for ever; use "
          "pipe_to_self");
    }
    if (worker->may_not_wait && !slot.is_over(ask.generation)) throw UsageError(why_not_wait);
    TROUPE_CHECK(slot.asked_by() == worker->cell, "an actor awaits an ask of somebody else");
    worker->cell->wait_in_turn(*worker, ask, false);
    return;
  }
  const auto over = [&] { return slot.is_over(ask.generation); };
  const TimePoint deadline{
      Duration{slot.deadline.load(std::memory_order_relaxed)}};  // this thread's own write
  while (!over()) {
    SystemGate* gate = slot.gate.load(std::memory_order_relaxed);  // this thread's own write
    SystemCore* core = gate != nullptr ? gate->enter() : nullptr;
    if (core == nullptr) {
      fail_reply(ask, AskErrorKind::system_stopped, "the System has ended");
      continue;
    }
    core->executor().wait_outside(over, slot.changed, deadline);
    if (!over() && core->now() >= deadline) {
      fail_reply(ask, AskErrorKind::timeout, "no answer in time; the outcome is unknown");
    }
    gate->leave();
  }
}

namespace {

/// What a thread outside waits for ends by that thread's own look at the clock.
void fail_what_is_late(const RequestPort& ask, TimePoint& earliest) {
  AskSlot& slot = *ask.slot;
  if (slot.asked_by() != nullptr || slot.is_over(ask.generation)) return;
  const TimePoint deadline{
      Duration{slot.deadline.load(std::memory_order_relaxed)}};  // this thread's own write
  SystemGate* gate = slot.gate.load(std::memory_order_relaxed);  // as above
  SystemCore* core = gate != nullptr ? gate->enter() : nullptr;
  if (core == nullptr) {
    fail_reply(ask, AskErrorKind::system_stopped, "the System has ended");
    return;
  }
  if (core->now() >= deadline)
    fail_reply(ask, AskErrorKind::timeout, "no answer in time; the outcome is unknown");
  earliest = std::min(earliest, deadline);
  gate->leave();
}

}  // namespace

std::size_t first_over(const RequestPort* asks, std::size_t count) noexcept {
  std::size_t i = 0;
  for (; i < count; ++i) {
    const AskSlot& slot = *asks[i].slot;
    while (slot.state(asks[i].generation) == SlotState::writing) std::this_thread::yield();
    if (slot.is_over(asks[i].generation)) break;
  }
  return i;
}

RequestPort open_any(const RequestPort* asks, std::size_t count) {
  const Address callee = asks[0].slot->callee_address();
  const RequestPort any = open_slot(callee, no_timeout, reply_destroyer<void>());
  waits_for(any, {});
  any.slot->asked.store(&message_type<AnyWait>,
                        std::memory_order_relaxed);  // published by show_wait
  ::new (any.slot->value) AnyAsks{asks, count};      // for its own actor
  for (std::size_t i = 0; i < count; ++i) asks[i].slot->also.set(any.slot);
  return any;
}

void close_any(const RequestPort* asks, std::size_t count, const RequestPort& any) noexcept {
  for (std::size_t i = 0; i < count; ++i) asks[i].slot->also.clear();
  release_slot(any);
}

std::size_t await_any_slot(const RequestPort* asks, std::size_t count) {
  if (count == 0) throw UsageError("await_any of no ask");
  for (;;) {
    TimePoint earliest = TimePoint::max();
    for (std::size_t i = 0; i < count; ++i) fail_what_is_late(asks[i], earliest);
    std::size_t first = first_over(asks, count);
    if (first < count) return first;
    const struct Any {
      const RequestPort* asks;
      std::size_t count;
      RequestPort port = open_any(asks, count);
      ~Any() { close_any(asks, count, port); }
    } any{asks, count};
    any.port.slot->deadline.store(earliest.time_since_epoch().count(),
                                  std::memory_order_relaxed);  // this thread's own
    first = first_over(asks, count);
    if (first < count) return first;
    await_slot(any.port);
  }
}

void waits_for(const RequestPort& port, const Address& callee) noexcept {
  if (port.slot != nullptr) port.slot->pass_on(port.generation, callee);
}

bool is_over(const RequestPort& ask) noexcept {
  return ask.slot->is_over(ask.generation);
}

void* slot_value(const RequestPort& ask) noexcept {
  return ask.slot->state(ask.generation) == SlotState::value ? ask.slot->value : nullptr;
}

AskError slot_error(const RequestPort& ask) {
  TROUPE_CHECK(ask.slot->state(ask.generation) == SlotState::failed,
               "the error of an ask that has none");
  return *ask.slot->error;
}

void release_slot(const RequestPort& ask) noexcept {
  AskSlot& slot = *ask.slot;
  SlotState state = slot.state(ask.generation);
  if (state == SlotState::pending && slot.word.give_up(ask.generation)) {
    end_stop_token(slot, true);
    if (slot.asked_by() != nullptr) remove_from_asks(&slot);
    slot.frame = nullptr;
    free_slot(&slot);
    return;
  }
  if (state == SlotState::pending || state == SlotState::writing)
    state = slot.word.outcome(ask.generation, std::this_thread::yield);
  if (state == SlotState::free) return;  // its actor has ended and gave it back
  if (state == SlotState::value && slot.destroy != nullptr) slot.destroy(slot.value);
  delete std::exchange(slot.error, nullptr);
  if (slot.asked_by() != nullptr) remove_from_asks(&slot);
  slot.frame = nullptr;
  slot.word.close(ask.generation);
  if (slot.command_expected) {
    slot.abandoned = true;
  } else {
    free_slot(&slot);
  }
}

}  // namespace troupe::detail
