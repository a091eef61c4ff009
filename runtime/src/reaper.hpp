// Abandons killed actors whose handler neither returns nor awaits (S66).
//
// Design. While a worker is in user code its cell can't be taken away from it, but it can be kept
// from coming back: at the gate, behind which the loop goes on, it says that it `running`s nothing
// and then looks whether it `is_arrested`; the reaper sets that, and then looks what it runs. The
// pair needs a fence on both sides (Dekker). Messages pay for none: the reaper asks the kernel for
// one on every running thread (membarrier), once per look at a worker that is suspicious.
//  * Who is arrested waits at the gate while the reaper holds its lock. Meanwhile what belongs to
//    the loop (mailbox, commands, watchers, name) is the reaper's. What the handler itself may
//    write through the actor's functions is not: timers, asks, stash, its own watches. Links are
//    both's, under a lock.
//  * The service thread looks at each worker a few times per kill_grace, and queues the reaper when
//    one is in the same handler as before and its actor is to end. So what is done about it is done
//    on another worker. With a single one nothing is.
//  * A command that kills counts from when the reaper first sees it.
//  * What is abandoned is over for everybody but its own thread. Its generation is the next, so
//    what is sent to it is a dead letter at once; what had been under way is bounced at each look.
//    When its handler returns it ends quietly; what is still for its own life (timers, answers,
//    children) has waited for that.
// Constructors, destructors and observers are no handlers: where they hang nobody is abandoned.
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cell.hpp"
#include "scheduler/runnable.hpp"
#include "scheduler/worker.hpp"
#include "spin_lock.hpp"

namespace troupe::detail {

/// What the reaper keeps for an actor whose handler is to return one day.
struct Abandoned {
  Address actor;
  std::string message_type;
  bool had_started = false;
  Envelope* handled = nullptr;
  bool was_first = false;        ///< `handled` was the mailbox's first link until it was bounced
  std::vector<Envelope*> ticks;  ///< belong to timers, which its handler may cancel
};

/// A worker in one handler.
struct Stay {
  Cell* cell = nullptr;
  std::uint64_t handled = 0;
  TimePoint since{};
  TimePoint abandon_at = TimePoint::max();
  bool asked = true;  ///< by a command, not by an exit signal
  std::optional<Abandoned> abandoned;
};

/// Thread safety: any thread.
class Reaper final : public Runnable {
 public:
  explicit Reaper(SystemCore& core);

  /// The service thread's look. When the next is due; none: nothing runs, or nothing can be done.
  std::optional<TimePoint> look(TimePoint now, bool busy);
  /// Looks closely, on a worker.
  void run(Worker& worker) override;
  /// A worker that found itself arrested. Returns when it may go on; its actor may have been
  /// abandoned then, and ends.
  void wait_at_gate(Worker& worker, Cell& cell, CellTurn& turn);
  /// Who is abandoned, and stuck in the handler of which message.
  [[nodiscard]] std::map<const Cell*, std::string> abandoned() const;
  /// Held by an actor's handler, and by the reaper, while they change its links.
  [[nodiscard]] SpinLock& links_lock(const Cell& cell) noexcept {
    return links_locks_[cell.serial % links_locks_.size()];
  }

 private:
  [[nodiscard]] static bool is_suspicious(const Stay& stay) noexcept;
  bool arrest(Worker& worker, const Stay& stay);
  void look_at(Worker& worker, Stay& stay, TimePoint now);
  void find_kill(Stay& stay, TimePoint now) const;
  void abandon(Worker& worker, Stay& stay, TimePoint now);
  void tell_others(Cell& cell, const Address& self, const ExitReason& why, bool asked);
  void stop_children(const Cell& cell);
  void bounce_mail(Cell& cell, Abandoned& a);
  static void bounce_commands(Cell& cell, const ExitReason& why);

  SystemCore& core_;
  const Duration grace_;
  const bool can_fence_;
  std::mutex lock_;  ///< of every arrest, and of:
  std::map<Worker*, Stay> stays_;
  mutable std::mutex names_lock_;  ///< for those who look on, also while the other is held; of:
  std::map<const Cell*, std::string> abandoned_;
  TimePoint next_look_{};
  std::atomic<bool> is_queued_{false};
  std::array<SpinLock, 16> links_locks_;
};

void wait_at_gate(Worker& worker, Cell& cell, CellTurn& turn);

/// Where a worker comes back from user code. What belongs to the loop is touched behind it only.
[[gnu::always_inline]] inline void pass_gate(Worker& worker, Cell& cell, CellTurn& turn) {
  worker.running.store(nullptr, std::memory_order_relaxed);  // pair: Reaper::arrest, and its fence
  std::atomic_signal_fence(std::memory_order_seq_cst);
  // Acquire: an arrest that was let go (partner: the stores of the reaper).
  if (worker.is_arrested.load(std::memory_order_acquire) && !mutant("gate_stands_open"))
      [[unlikely]]
    wait_at_gate(worker, cell, turn);
}

/// Whether an actor was abandoned, as asked by its own handler on this worker.
[[nodiscard]] inline bool is_abandoned(const Cell* cell, const Worker* worker) noexcept {
  if (worker != nullptr &&
      worker->has_abandoned.load(std::memory_order_relaxed) == cell)  // seen soon enough
    return true;
  return cell->abandoned_life() != 0;
}

}  // namespace troupe::detail
