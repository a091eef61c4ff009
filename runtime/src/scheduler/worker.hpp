// A worker: the thread that runs cells, and what it carries with it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/dead_letters.hpp>
#include <troupe/runtime/random.hpp>

#include "../fiber/carrier.hpp"
#include "../fiber/stack_pool.hpp"
#include "runnable.hpp"

namespace troupe::detail {

struct Cell;
struct CellTurn;
struct Turn;
struct MessageType;
class SystemCore;

inline constexpr std::size_t cell_classes = 4;

/// Counts of one thread, on cache lines of their own; summed when read.
struct alignas(64) Counters {
  std::atomic<std::uint64_t> handled{0}, spawned{0}, ended{0}, restarted{0}, failed{0},
      abandoned{0}, refused{0}, slowed{0}, steals{0}, parks{0};
  std::array<std::atomic<std::uint64_t>, drop_reasons> dropped{};

  /// For a counter that one thread writes.
  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t n = 1) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + n,
                  std::memory_order_relaxed);  // single writer; read any time
  }
};

/// Runs cells on carriers. Everything here belongs to the thread that runs the worker.
class Worker {
 public:
  Worker(SystemCore& core, StackPool& stacks, std::uint64_t seed);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  virtual ~Worker();

  /// The worker that runs on this thread, or null. Re-read after everything that may switch
  /// carriers: the frame may have moved to another thread.
  [[nodiscard]] static Worker* current() noexcept;
  /// The same without a call: for functions that are not inlined and switch no carriers.
  [[nodiscard]] static Worker* current_here() noexcept { return this_thread; }

  /// Queues a runnable, from this worker's thread.
  virtual void push(Runnable& runnable) = 0;

  /// Queues a runnable for this worker and no other, from any thread.
  virtual void inject(Runnable& runnable);

  /// Runs on the calling thread until next() returns null.
  void enter();
  /// Makes sure that suspend finds a carrier. Throws StackLimit.
  void reserve_carrier();
  /// Leaves the running carrier, suspended, for another, where `then(argument)` runs first. Returns
  /// when resumed.
  void suspend(void (*then)(void*), void* argument);
  /// What this worker runs next.
  void go_on_with(Runnable& runnable) noexcept { continuation_ = &runnable; }
  [[nodiscard]] Carrier& carrier() noexcept { return *carrier_; }
  /// Goes on with a suspended carrier. Returns, much later, on a carrier that holds nothing: return
  /// to the loop.
  void resume(Carrier& suspended);

  SystemCore& core;
  Cell* cell = nullptr;            ///< whose turn it is
  Turn* turn = nullptr;            ///< what it handles
  bool may_not_wait = false;       ///< a constructor or a matcher is at work (NoWaiting)
  CellTurn* clean_turn = nullptr;  ///< for whom the loop runs: its carrier's, as it was made
  // Of the System's options, for each turn.
  const std::uint32_t messages_per_turn_max;
  const bool has_middleware;
  // What it does, for those who look on.
  std::atomic<const Cell*> running{nullptr};
  std::atomic<const MessageType*> handling{nullptr};
  // What the service thread saw of that: since when no further message has been handled.
  std::atomic<const Cell*> seen_running{nullptr};
  std::atomic<std::uint64_t> seen_handled{0};
  std::atomic<Duration::rep> seen_since{0};
  // What the reaper decides about it (reaper.hpp).
  std::atomic<bool> is_arrested{false};             ///< back from user code it waits for the reaper
  std::atomic<const Cell*> has_abandoned{nullptr};  ///< the actor whose handler it is stuck in
  Random random;
  Counters counters;
  std::array<std::vector<Cell*>, cell_classes> free_cells;
  Worker* next_worker = nullptr;  ///< of its System

 protected:
  /// The next runnable; null ends enter().
  virtual Runnable* next() = 0;

 private:
  // With the arena the only thing that is not passed in. For the TLS model see block_cache.
  [[gnu::tls_model("initial-exec")]] static constinit thread_local Worker* this_thread;

  static void loop();
  static void park(void* carrier);
  Carrier* new_carrier();
  Carrier& take_carrier();

  StackPool& stacks_;
  Carrier thread_;
  Carrier* carrier_ = nullptr;
  Carrier* parked_ = nullptr;
  std::uint32_t parked_count_ = 0;
  Runnable* continuation_ = nullptr;
};

}  // namespace troupe::detail
