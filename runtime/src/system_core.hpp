// What a System is made of.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <troupe/runtime/detail/ref_names.hpp>
#include <troupe/runtime/system.hpp>

#include "arena.hpp"
#include "cell.hpp"
#include "dead_letters.hpp"
#include "mailbox/locked_lane.hpp"
#include "memory_watch.hpp"
#include "names.hpp"
#include "reaper.hpp"
#include "scheduler/executor.hpp"
#include "shutdown_tasks.hpp"
#include "spin_lock.hpp"
#include "timer/timer_service.hpp"

namespace troupe::detail {

struct WaitingMail {
  std::uint64_t messages = 0;
  std::uint32_t longest = 0;  ///< in one mailbox
};

/// Thread safety: any thread unless said otherwise.
class SystemCore {
 public:
  explicit SystemCore(SystemOptions options);
  SystemCore(const SystemCore&) = delete;
  SystemCore& operator=(const SystemCore&) = delete;
  ~SystemCore();

  [[nodiscard]] const SystemOptions& options() const noexcept { return options_; }
  [[nodiscard]] TimePoint now() const noexcept { return options_.clock->now(); }
  [[nodiscard]] Executor& executor() noexcept { return *options_.executor; }
  [[nodiscard]] Delivery* delivery() noexcept { return delivery_; }
  [[nodiscard]] TimerService& timers() noexcept { return timers_; }
  [[nodiscard]] Names& names() noexcept { return names_; }
  [[nodiscard]] DeadLetters& dead_letters() noexcept { return dead_letters_; }
  [[nodiscard]] LockedLanes& locked_lanes() noexcept { return locked_lanes_; }
  [[nodiscard]] MemoryWatch& memory_watch() noexcept { return memory_watch_; }
  /// A send has more to look at than its receiver.
  [[nodiscard]] bool sends_with_care() const noexcept {
    return care_.load(std::memory_order_relaxed) != 0;  // seen soon enough
  }
  void memory_is_short(bool is_short) noexcept {
    is_short ? care_.fetch_add(1, std::memory_order_seq_cst)
             : care_.fetch_sub(1, std::memory_order_seq_cst);
  }
  [[nodiscard]] Reaper& reaper() noexcept { return reaper_; }
  /// An actor is abandoned, or such an actor has ended at last.
  void count_abandoned() noexcept { care_.fetch_add(1, std::memory_order_seq_cst); }
  void forget_abandoned() noexcept { care_.fetch_sub(1, std::memory_order_seq_cst); }
  [[nodiscard]] SystemGate& gate() noexcept { return *gate_; }
  [[nodiscard]] std::size_t stack_bytes() const noexcept;
  /// Once. Throws UsageError the second time.
  void set_ref_names(std::shared_ptr<RefNames> names);
  [[nodiscard]] RefNames* ref_names() const noexcept {
    return ref_names_seen_.load(std::memory_order_acquire);  // partner: set_ref_names
  }
  /// One for each key, until the System ends. Throws UsageError for a second one.
  void attach(const void* key, std::shared_ptr<void> kept);
  [[nodiscard]] void* attached(const void* key) noexcept;
  /// Keeps what connects it with another node.
  RemoteTable& add_remote(std::unique_ptr<RemoteTable> remote);
  std::uint64_t next_seed();
  double random_unit();
  void log(LogLevel level, std::string_view who, std::string_view text) const {
    options_.log->write(level, who, text);
  }

  // ---- cells
  /// A cell whose token the caller owns.
  Cell* take_cell(std::size_t cell_class);
  /// Puts a dead cell where the next spawn finds it.
  void give_cell(Cell& cell);
  void for_each_cell(const std::function<void(Cell&)>& f);
  void actor_spawned(Cell& cell);
  /// `name`: the path it had until now; empty: none.
  void actor_ended(Cell& cell, const std::string& name, const ExitReason& why);
  /// Begins the shutdown if the end of this actor is to.
  void guardian_ended(Cell& cell, const std::string& name, const ExitReason& why, bool unasked);
  [[nodiscard]] std::uint64_t actor_count() const;
  /// Pair: stop_all_actors forbids spawning, and then looks at the count.
  [[nodiscard]] bool spawning_allowed() const noexcept {
    return spawning_allowed_.load(std::memory_order_seq_cst);
  }
  /// No actor is left, nor any being made. In this order: one that is under way is counted as an
  /// actor before it is none any more.
  [[nodiscard]] bool is_deserted() const {
    return spawns_under_way_.load(std::memory_order_seq_cst) == 0 && actor_count() == 0;
  }
  void wake_shutdown_if_over() noexcept;
  void spawn_begins() noexcept { spawns_under_way_.fetch_add(1, std::memory_order_seq_cst); }
  void spawn_is_over() noexcept {
    spawns_under_way_.fetch_sub(1, std::memory_order_seq_cst);
    wake_shutdown_if_over();
  }

  // ---- introspection
  [[nodiscard]] std::vector<ActorInfo> list_actors();
  [[nodiscard]] std::string print_tree();
  /// What a worker handles for an actor; empty: none is seen to.
  [[nodiscard]] std::string handler_of(const Cell& cell) const;
  /// A walk over all actors.
  [[nodiscard]] WaitingMail waiting_mail();
  void report_stall(const Stall& stall);
  /// A worker of the executor, which lives as long as the System. Any thread.
  void add_worker(Worker& worker);
  /// The newest; the others follow by next_worker. They live as long as the System.
  [[nodiscard]] Worker* workers_seen() const noexcept {
    return workers_.load(std::memory_order_acquire);  // partner: add_worker
  }

  // ---- counts
  void count_drop(DropReason reason) noexcept;
  [[nodiscard]] Metrics metrics() const;
  void for_each_counters(const std::function<void(const Counters&)>& f) const;
  void observe(const std::function<void(Observer&)>& f) const;
  [[nodiscard]] bool is_observed() const noexcept { return !options_.observers.empty(); }

  // ---- shutdown
  [[nodiscard]] ShutdownTasks& shutdown_tasks() noexcept { return shutdown_tasks_; }
  void begin_shutdown(std::string why, bool failed);
  ShutdownReport shutdown(std::string why);
  /// Sleeps until the shutdown begins.
  void wait_for_shutdown();
  [[nodiscard]] bool shutdown_begun() const noexcept {
    return shutdown_begun_.load(std::memory_order_seq_cst);
  }
  [[nodiscard]] bool guardian_failed() const noexcept {
    return guardian_failed_.load(std::memory_order_seq_cst);
  }

 private:
  ShutdownReport run_shutdown();
  bool run_tasks(const ShutdownPhase& phase, TimePoint deadline, ShutdownReport& report);
  void stop_all_actors(TimePoint deadline);
  void stop_top_level_actors(Duration limit);
  void kill_all_actors();
  void list_survivors(ShutdownReport& report);

  SystemOptions options_;
  ShutdownTasks shutdown_tasks_;
  std::atomic<std::uint32_t> care_{0};  ///< reasons for sends_with_care
  MemoryWatch memory_watch_;
  Reaper reaper_;
  Delivery* delivery_ = nullptr;
  SystemGate* gate_;
  std::shared_ptr<RefNames> ref_names_;
  std::atomic<RefNames*> ref_names_seen_{nullptr};
  std::mutex attached_lock_;
  std::vector<std::pair<const void*, std::shared_ptr<void>>> attached_;
  std::mutex remotes_lock_;
  std::vector<std::unique_ptr<RemoteTable>> remotes_;
  Random seeds_;
  SpinLock seeds_lock_;
  TimerService timers_;
  Names names_;
  DeadLetters dead_letters_;
  LockedLanes locked_lanes_;

  std::mutex cells_lock_;
  std::array<std::vector<Chunk>, cell_classes> chunks_;
  std::array<std::vector<Cell*>, cell_classes> free_cells_;
  std::atomic<std::uint32_t> serial_{0};
  std::atomic<bool> spawning_allowed_{true};
  std::atomic<int> spawns_under_way_{0};  ///< of top-level actors

  std::atomic<Worker*> workers_{nullptr};
  Counters outside_;
  SpinLock outside_lock_;

  std::mutex shutdown_lock_;
  std::string shutdown_why_;
  std::optional<ShutdownReport> report_;
  std::mutex shutdown_running_;  // held by who runs it
  std::atomic<bool> shutdown_begun_{false};
  std::atomic<bool> guardian_failed_{false};
  std::atomic<bool> counting_down_{false};
  std::atomic<std::uint32_t> shutdown_word_{0};
};

}  // namespace troupe::detail
