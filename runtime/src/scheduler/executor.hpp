// The seam between cells and what runs them: threads, or one seeded thread on virtual time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>

#include <troupe/runtime/clock.hpp>

#include "runnable.hpp"

namespace troupe::detail {

struct Address;
struct Cell;
struct Command;
struct Envelope;
class SystemCore;
class Worker;

/// Holds back what is sent until the schedule delivers it: first in, first out for each pair of
/// sender and receiver and lane, any order between pairs (DESIGN.md D6).
class Delivery {
 public:
  /// Sees each message before anything else happens to it; true: it keeps it. A `delay` is that of
  /// a delayed send.
  virtual bool takes(const Address& to, Envelope* message, std::optional<Duration> delay) = 0;
  virtual void post_message(std::uint32_t sender, Cell& to, Envelope* message) = 0;
  virtual void post_command(std::uint32_t sender, Cell& to, Command* command) = 0;

 protected:
  ~Delivery() = default;
};

/// A job that may block its thread.
struct BlockingJob {
  void (*run)(BlockingJob&) = nullptr;
  BlockingJob* next = nullptr;
};

/// Runs cells, timers and blocking jobs of one System.
/// Thread safety: any thread, except start and stop.
class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  virtual void start(SystemCore& core) = 0;
  /// Queues a runnable from a thread that is none of its workers.
  virtual void submit(Runnable& runnable) = 0;
  virtual void submit_blocking(BlockingJob& job) = 0;
  /// The earliest timer may have changed.
  virtual void timers_changed() = 0;
  /// Waits on a thread outside until `over()`, or until the deadline on the System's clock. `word`
  /// changes and is woken when `over` may have become true.
  virtual void wait_outside(const std::function<bool()>& over,
                            const std::atomic<std::uint32_t>& word, TimePoint deadline) = 0;
  /// A worker with a thread of its own, for one actor, until `unpin`; null where there are none.
  virtual Worker* pin() { return nullptr; }
  virtual void unpin(Worker& /*worker*/) {}
  /// Null where sends reach the mailbox at once.
  virtual Delivery* delivery() { return nullptr; }
  /// Runs f on a thread that may wait for actors; soon, and once.
  virtual void run_aside(std::function<void()> f) = 0;
  /// Waits for what run_aside was given.
  virtual void join_aside() = 0;
  /// Ends the threads. False: one is stuck in user code.
  virtual bool stop(Duration limit) = 0;
};

}  // namespace troupe::detail
