#include "worker.hpp"

#include <utility>

#include "../cell.hpp"
#include "../system_core.hpp"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace troupe::detail {

namespace {

constexpr std::uint32_t parked_carriers_max = 64;  // beyond it their stacks go back to the pool

/// jump_fcontext saves and loads MXCSR; where the sticky flags of two carriers differ, that costs
/// 150 ns. All set beforehand, they never differ.
void preset_float_flags() noexcept {
#if defined(__x86_64__)
  _mm_setcsr(0x1fbf);
#endif
}

}  // namespace

constinit thread_local Worker* Worker::this_thread = nullptr;

Worker::Worker(SystemCore& system, StackPool& stacks, std::uint64_t seed)
    : core(system),
      messages_per_turn_max(system.options().messages_per_turn_max),
      has_middleware(!system.options().middleware.empty()),
      random(seed),
      stacks_(stacks) {}

Worker::~Worker() {
  while (parked_ != nullptr) {
    Carrier* carrier = std::exchange(parked_, parked_->next_free);
    stacks_.give(carrier->stack());
    delete carrier;
  }
}

// Not inlined: a thread-local address must not be kept over a switch that changes the thread.
[[gnu::noinline]] Worker* Worker::current() noexcept {
  asm volatile("");
  return this_thread;
}

void Worker::inject(Runnable& runnable) {
  core.executor().submit(runnable);
}

void Worker::enter() {
  Worker* outer = std::exchange(this_thread, this);
#if defined(__x86_64__)
  const unsigned float_state = _mm_getcsr();
#endif
  preset_float_flags();
  thread_.adopt_thread();
  Carrier& first = take_carrier();
  carrier_ = &first;
  Carrier::switch_to(
      thread_, first, [](void*) {}, nullptr);
#if defined(__x86_64__)
  _mm_setcsr(float_state);
#endif
  carrier_ = nullptr;
  this_thread = outer;
}

void Worker::loop() {
  CellTurn turn;
  for (;;) {
    Worker& worker = *current();
    worker.cell = nullptr;
    worker.clean_turn = &turn;
    Runnable* runnable = worker.continuation_;
    if (runnable == nullptr) [[likely]] {
      runnable = worker.next();
    } else {
      worker.continuation_ = nullptr;
    }
    if (runnable != nullptr) {
      runnable->run(worker);
    } else {
      Carrier::switch_to(*worker.carrier_, worker.thread_, &park, worker.carrier_);
    }
  }
}

void Worker::suspend(void (*then)(void*), void* argument) {
  Carrier& from = *carrier_;
  Carrier& to = take_carrier();
  carrier_ = &to;
  Carrier::switch_to(from, to, then, argument);
}

void Worker::resume(Carrier& suspended) {
  Carrier& from = *carrier_;
  carrier_ = &suspended;
  Carrier::switch_to(from, suspended, &park, &from);
}

void Worker::park(void* carrier) {
  Worker& worker = *current();
  auto* parked = static_cast<Carrier*>(carrier);
  if (worker.parked_count_ >= parked_carriers_max) {  // it holds nothing: its stack can go
    worker.stacks_.give(parked->stack());
    delete parked;
    return;
  }
  parked->next_free = std::exchange(worker.parked_, parked);
  ++worker.parked_count_;
}

Carrier& Worker::take_carrier() {
  if (parked_ != nullptr) {
    --parked_count_;
    return *std::exchange(parked_, parked_->next_free);
  }
  return *new_carrier();
}

Carrier* Worker::new_carrier() {
  auto* carrier = new Carrier(stacks_.take(), &loop);
  Carrier::tell_leak_checker(carrier);
  return carrier;
}

void Worker::reserve_carrier() {
  if (parked_ != nullptr) return;
  Carrier* carrier = new_carrier();
  carrier->next_free = nullptr;
  parked_ = carrier;
  ++parked_count_;
}

}  // namespace troupe::detail
