#include "system_core.hpp"

#include <thread>
#include <utility>

#include <troupe/runtime/detail/attached.hpp>

#include "futex.hpp"
#include "remote_table.hpp"
#include "scheduler/thread_executor.hpp"

namespace troupe::detail {

namespace {

constexpr std::uint32_t cells_carved_at_once = 64;
// Cells that are taken in one place and given back in another come round by the depot.
constexpr std::size_t cells_cached_max = 4 * cells_carved_at_once;
constexpr std::uint32_t generation_max = has_locked_lane - 1;

SystemOptions complete(SystemOptions options) {
  if (options.clock == nullptr) options.clock = system_clock();
  if (options.log == nullptr) options.log = stderr_log();
  if (options.seed == 0) options.seed = random_seed();
  if (options.executor == nullptr) options.executor = std::make_shared<ThreadExecutor>();
  if (options.messages_per_turn_max == 0)
    throw UsageError("messages_per_turn_max must be at least 1");
  if (options.blocking_threads_max == 0)
    throw UsageError("blocking_threads_max must be at least 1: blocking() would wait for ever");
  if (options.stack_bytes < 16 * 1024) throw UsageError("stack_bytes must be at least 16 KiB");
  return options;
}

// Gates are reused and never freed: a stale ref may look at one at any time.
struct GatePool {
  SpinLock lock;
  std::vector<SystemGate*>* free = nullptr;
};
constinit GatePool gate_pool;

SystemGate* take_gate() {
  std::lock_guard guard(gate_pool.lock);
  if (gate_pool.free == nullptr || gate_pool.free->empty()) return new SystemGate;
  SystemGate* gate = gate_pool.free->back();
  gate_pool.free->pop_back();
  return gate;
}

void give_gate(SystemGate* gate) {
  std::lock_guard guard(gate_pool.lock);
  if (gate_pool.free == nullptr) gate_pool.free = new std::vector<SystemGate*>();
  gate_pool.free->push_back(gate);
}

}  // namespace

SystemCore::SystemCore(SystemOptions options)
    : options_(complete(std::move(options))),
      shutdown_tasks_(options_.shutdown_phases),
      memory_watch_(*this),
      reaper_(*this),
      gate_(take_gate()),
      seeds_(options_.seed),
      timers_(*this),
      dead_letters_(*this) {
  delivery_ = executor().delivery();
  if (delivery_ != nullptr) care_.fetch_add(1, std::memory_order_seq_cst);
  gate_->core.store(this, std::memory_order_seq_cst);
  executor().start(*this);
}

SystemCore::~SystemCore() {
  executor().join_aside();  // it may have waited for the shutdown that somebody else ran
  TROUPE_CHECK(report_.has_value(), "a System is destroyed before it was shut down");
  remotes_.clear();
  // Pair: SystemGate::enter, which counts itself and then looks whether it is open. So the look at
  // the count has to be seq_cst as well; it also acquires what leave releases.
  gate_->core.store(nullptr, std::memory_order_seq_cst);
  while (gate_->in_flight.load(std::memory_order_seq_cst) != 0) std::this_thread::yield();
  if (!report_->complete) return;  // what is stuck still uses cells and gate: they are left to it
  for (auto& chunks : chunks_) {
    for (const Chunk& chunk : chunks) Arena::give(chunk);
  }
  give_gate(gate_);
}

std::size_t SystemCore::stack_bytes() const noexcept {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return options_.stack_bytes * 4;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return options_.stack_bytes * 4;
#endif
#endif
  return options_.stack_bytes;
}

void SystemCore::set_ref_names(std::shared_ptr<RefNames> names) {
  RefNames* none = nullptr;
  if (!ref_names_seen_.compare_exchange_strong(none, names.get(), std::memory_order_acq_rel,
                                               std::memory_order_relaxed))  // partner: ref_names
    throw UsageError("this System is a node already");
  ref_names_ = std::move(names);  // theirs who set it, once
}

void SystemCore::attach(const void* key, std::shared_ptr<void> kept) {
  const std::lock_guard guard(attached_lock_);
  for (const auto& [other, value] : attached_) {
    if (other == key) throw UsageError("this System has one of these already");
  }
  attached_.emplace_back(key, std::move(kept));
}

void* SystemCore::attached(const void* key) noexcept {
  const std::lock_guard guard(attached_lock_);
  for (const auto& [other, value] : attached_) {
    if (other == key) return value.get();
  }
  return nullptr;
}

void attach(System& system, const void* key, std::shared_ptr<void> kept) {
  system.core().attach(key, std::move(kept));
}
void* attached(System& system, const void* key) noexcept {
  return system.core().attached(key);
}
void* attached_here(const void* key) noexcept {
  Worker* const worker = Worker::current();
  return worker != nullptr && worker->cell != nullptr ? worker->core.attached(key) : nullptr;
}

RemoteTable& SystemCore::add_remote(std::unique_ptr<RemoteTable> remote) {
  const std::lock_guard guard(remotes_lock_);
  return *remotes_.emplace_back(std::move(remote));
}

std::uint64_t SystemCore::next_seed() {
  std::lock_guard guard(seeds_lock_);
  return seeds_.next();
}

double SystemCore::random_unit() {
  std::lock_guard guard(seeds_lock_);
  return seeds_.unit();
}

// ---- cells

Cell* SystemCore::take_cell(std::size_t cell_class) {
  Worker* worker = Worker::current_here();
  std::vector<Cell*>* own =
      worker != nullptr && &worker->core == this ? &worker->free_cells[cell_class] : nullptr;
  std::vector<Cell*> few;
  std::vector<Cell*>& cells = own != nullptr ? *own : few;
  bool was_woken = false;
  for (;;) {
    if (cells.empty()) {
      std::lock_guard guard(cells_lock_);
      auto& depot = free_cells_[cell_class];
      const std::size_t wanted = own != nullptr ? cells_carved_at_once : 1;
      while (!was_woken && !depot.empty() && cells.size() < wanted) {
        cells.push_back(depot.back());
        depot.pop_back();
      }
      auto& chunks = chunks_[cell_class];
      const bool must_carve = cells.empty();
      if (must_carve && (chunks.empty() || chunks.back().used == chunks.back().count)) {
        chunks.push_back(Arena::take(cell_class));
      }
      while (must_carve && cells.size() < wanted && chunks.back().used < chunks.back().count) {
        Chunk& chunk = chunks.back();
        std::byte* memory = chunk.cells + std::size_t{chunk.used} * cell_class_bytes[cell_class];
        auto* cell = reinterpret_cast<Cell*>(memory);
        if (chunk.used++ == chunk.made) {
          ++chunk.made;
          cell = ::new (memory) Cell;
          cell->cell_class = static_cast<std::uint8_t>(cell_class);
          Mailbox::init(cell->in, cell->out);
        }
        // Relaxed: what an earlier System wrote came with the chunk.
        if (cell->generation.load(std::memory_order_relaxed) == generation_max)
          continue;                                          // retired
        cell->gate.store(gate_, std::memory_order_release);  // partner: who looks at a ref's gate
        cells.push_back(cell);
      }
    }
    if (cells.empty()) continue;  // the rest of that chunk is retired
    Cell* cell = cells.back();
    cells.pop_back();
    if (Mailbox::claim(cell->in)) {
      cell->serial = serial_.fetch_add(1, std::memory_order_relaxed) + 1;  // only has to differ
      return cell;
    }
    // A stale push has woken it: somebody else's turn comes first, and a fresh cell is taken here.
    was_woken = true;
    std::lock_guard guard(cells_lock_);
    free_cells_[cell_class].insert(free_cells_[cell_class].begin(), cell);
  }
}

void SystemCore::give_cell(Cell& cell) {
  if (cell.generation.load(std::memory_order_relaxed) == generation_max)
    return;  // would wrap: this slot is retired
  Worker* worker = Worker::current_here();
  if (worker == nullptr || &worker->core != this) {
    std::lock_guard guard(cells_lock_);
    free_cells_[cell.cell_class].push_back(&cell);
    return;
  }
  auto& own = worker->free_cells[cell.cell_class];
  own.push_back(&cell);
  if (own.size() < cells_cached_max) return;
  const auto half = own.begin() + cells_cached_max / 2;  // those that were given back first
  std::lock_guard guard(cells_lock_);
  auto& depot = free_cells_[cell.cell_class];
  depot.insert(depot.end(), own.begin(), half);
  own.erase(own.begin(), half);
}

void SystemCore::for_each_cell(const std::function<void(Cell&)>& f) {
  std::lock_guard guard(cells_lock_);
  for (std::size_t c = 0; c < cell_classes; ++c) {
    for (const Chunk& chunk : chunks_[c]) {
      for (std::uint32_t i = 0; i < chunk.used; ++i) {
        f(*reinterpret_cast<Cell*>(chunk.cells + std::size_t{i} * cell_class_bytes[c]));
      }
    }
  }
}

void SystemCore::actor_spawned(Cell& cell) {
  Worker* worker = Worker::current_here();
  if (worker != nullptr && &worker->core == this) {
    Counters::add(worker->counters.spawned);
  } else {
    outside_.spawned.fetch_add(1, std::memory_order_relaxed);  // several threads, a plain count
  }
  if (is_observed()) observe([&](Observer& o) { o.spawned(Ref<>{cell.address()}); });
}

void SystemCore::actor_ended(Cell& cell, const std::string& name, const ExitReason& why) {
  if (is_observed()) observe([&](Observer& o) { o.ended(Ref<>{cell.last_address()}, why); });
  guardian_ended(cell, name, why, !cell.extension->ended_by_request);
  // seq_cst, as the load below: of two last actors at least one sees that none is left.
  Worker::current_here()->counters.ended.fetch_add(1, std::memory_order_seq_cst);
  wake_shutdown_if_over();
}

void SystemCore::wake_shutdown_if_over() noexcept {
  if (!counting_down_.load(std::memory_order_seq_cst) || !is_deserted()) return;
  shutdown_word_.fetch_add(1, std::memory_order_seq_cst);
  futex_wake_all(shutdown_word_);
}

void SystemCore::guardian_ended(Cell& cell, const std::string& name, const ExitReason& why,
                                bool unasked) {
  const CellExtension& e = *cell.extension.seen_by_reaper();
  if (e.guardian == Guardian::always || (e.guardian == Guardian::on_failure && unasked)) {
    const std::string who = name.empty() ? print(cell.address()) : name;
    begin_shutdown("the guardian " + who + " ended: " + why.to_string(),
                   unasked && why.kind() != ExitReason::Kind::normal);
  }
}

std::uint64_t SystemCore::actor_count() const {
  std::uint64_t ended = 0;
  std::uint64_t spawned = 0;
  // Ended first: what ends meanwhile is counted as alive, never the other way round.
  for_each_counters([&](const Counters& c) { ended += c.ended.load(std::memory_order_seq_cst); });
  for_each_counters(
      [&](const Counters& c) { spawned += c.spawned.load(std::memory_order_seq_cst); });
  return spawned - ended;
}

// ---- counts

void SystemCore::add_worker(Worker& worker) {
  Worker* first = workers_.load(std::memory_order_relaxed);  // the exchange decides
  do {
    worker.next_worker = first;
  } while (!workers_.compare_exchange_weak(first, &worker, std::memory_order_seq_cst));
}

void SystemCore::for_each_counters(const std::function<void(const Counters&)>& f) const {
  f(outside_);
  for (const Worker* w = workers_seen(); w != nullptr; w = w->next_worker) f(w->counters);
}

void SystemCore::count_drop(DropReason reason) noexcept {
  const auto at = static_cast<std::size_t>(reason);
  Worker* worker = Worker::current();
  if (worker != nullptr && &worker->core == this) {
    Counters::add(worker->counters.dropped[at]);
  } else {
    outside_.dropped[at].fetch_add(1, std::memory_order_relaxed);  // several threads, a plain count
  }
}

Metrics SystemCore::metrics() const {
  Metrics m;
  const auto read = [](const std::atomic<std::uint64_t>& c) {
    return c.load(std::memory_order_relaxed);  // plain counts
  };
  for_each_counters([&](const Counters& c) {
    m.messages_handled += read(c.handled);
    m.actors_spawned += read(c.spawned);
    m.actors_ended += read(c.ended);
    m.actors_restarted += read(c.restarted);
    m.handler_failures += read(c.failed);
    m.requests_refused += read(c.refused);
    m.actors_abandoned += read(c.abandoned);
    m.senders_slowed += read(c.slowed);
    m.steals += read(c.steals);
    m.parks += read(c.parks);
    for (std::size_t i = 0; i < drop_reasons; ++i) m.dropped[i] += read(c.dropped[i]);
  });
  return m;
}

void SystemCore::observe(const std::function<void(Observer&)>& f) const {
  for (const auto& observer : options_.observers) f(*observer);
}

}  // namespace troupe::detail
