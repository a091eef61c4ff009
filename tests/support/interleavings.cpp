#include "interleavings.hpp"

#include <algorithm>
#include <utility>

#include "explorer.hpp"

namespace troupe::test {

namespace interleavings_detail {

namespace {

bool acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}
bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}
bool is_before(const VectorClock& a, const VectorClock& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
  }
  return true;
}
void learn(VectorClock& mine, const VectorClock& theirs) {
  for (std::size_t i = 0; i < mine.size(); ++i) mine[i] = std::max(mine[i], theirs[i]);
}

}  // namespace

// ---- stores and who sees them

std::uint64_t Explorer::read(const ExploredWord& word, std::memory_order order) {
  ExploredThread* const thread = running();
  if (thread == nullptr) return word.bits;
  for (std::size_t i = thread->delayed.size(); i-- != 0;) {
    if (thread->delayed[i].word != &word) continue;
    log(StepKind::load, &word, thread->delayed[i].bits);
    return thread->delayed[i].bits;
  }
  const bool is_late = reads_late(word, order);
  learn(acquires(order) ? thread->clock : thread->fence_acquired,
        is_late ? word.older_released : word.released);
  log(is_late ? StepKind::late : StepKind::load, &word, is_late ? word.older_bits : word.bits);
  if (is_late) return word.older_bits;
  saw_last(word);
  return word.bits;
}

/// From now on the running thread can't read what was there before.
void Explorer::saw_last(const ExploredWord& word) {
  if (running_ != none) word.seen_by |= 1u << running_;
}

/// A choice, where the thread does not know of the last write to the word.
bool Explorer::reads_late(const ExploredWord& word, std::memory_order order) {
  if (order == std::memory_order_seq_cst || delayed_ == bounds_.delayed_stores) return false;
  if (word.writer == none || word.writer == running_) return false;
  if ((word.seen_by >> running_ & 1) != 0) return false;
  const ExploredThread& thread = *running();
  const std::uint32_t known = std::max(thread.clock[word.writer], thread.fence_seen[word.writer]);
  if (known >= word.written_at || choose(2) == 0) return false;
  ++delayed_;
  return true;
}

/// What all threads see from here on.
void Explorer::set(std::size_t writer, const DelayedStore& store) {
  ExploredWord& word = *store.word;
  word.older_bits = std::exchange(word.bits, store.bits);
  word.older_released = std::exchange(word.released, store.released);
  word.writer = static_cast<std::uint32_t>(writer);
  word.written_at = store.written_at;
  word.seen_by = 0;
}

void Explorer::write(ExploredWord& word, std::uint64_t bits, std::memory_order order) {
  ExploredThread* const thread = running();
  if (thread == nullptr) {
    word.bits = bits;
    return;
  }
  std::uint32_t& now = thread->clock[running_];
  const DelayedStore store{&word, bits, releases(order) ? thread->clock : thread->fence_released,
                           now};
  if (releases(order)) ++now;
  const bool may_stay = order != std::memory_order_seq_cst && delayed_ < bounds_.delayed_stores;
  if (may_stay && choose(2) == 1) {
    ++delayed_;
    log(StepKind::delayed, &word, bits);
    thread->delayed.push_back(store);
    return;
  }
  make_visible(*thread, releases(order) ? nullptr : &word);
  log(StepKind::store, &word, bits);
  set(running_, store);
  if (order == std::memory_order_seq_cst) learn(fences_, store.released);
}

void Explorer::exchange(ExploredWord& word, std::uint64_t bits, std::memory_order order) {
  ExploredThread* const thread = running();
  if (thread == nullptr) {
    word.bits = bits;
    return;
  }
  if (releases(order)) make_visible(*thread, nullptr);
  std::uint32_t& now = thread->clock[running_];
  VectorClock released = releases(order) ? thread->clock : thread->fence_released;
  if (order == std::memory_order_seq_cst) learn(fences_, released);
  learn(released, word.released);  // it goes on with the release sequence
  log(StepKind::exchange, &word, bits);
  set(running_, {&word, bits, released, now});
  if (releases(order)) ++now;
}

/// The store buffer, up to the last store to `up_to`, or all of it (null).
void Explorer::make_visible(ExploredThread& thread, const ExploredWord* up_to) {
  std::size_t count = thread.delayed.size();
  if (up_to != nullptr) {
    while (count != 0 && thread.delayed[count - 1].word != up_to) --count;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const DelayedStore& store = thread.delayed[i];
    if (&thread == running()) log(StepKind::visible, store.word, store.bits);
    set(static_cast<std::size_t>(&thread - threads_.data()), store);
  }
  thread.delayed.erase(thread.delayed.begin(),
                       thread.delayed.begin() + static_cast<std::ptrdiff_t>(count));
}

/// A step of its own: others may go on before it.
void Explorer::make_all_visible() {
  if (running()->delayed.empty()) return;
  point();
  make_visible(*running(), nullptr);
}

void Explorer::fence() {
  ExploredThread* const thread = running();
  if (thread == nullptr) return;
  make_visible(*thread, nullptr);
  log(StepKind::fence);
  learn(thread->clock, thread->fence_acquired);
  thread->fence_released = thread->clock;
  learn(fences_, thread->clock);
  thread->fence_seen = fences_;
  ++thread->clock[running_];
}

void Explorer::wake(const ExploredWord& word) {
  log(StepKind::other, &word, word.bits);
  for (ExploredThread& thread : threads_) {
    if (thread.sleeps_on == &word) thread.sleeps_on = nullptr;
  }
}

}  // namespace interleavings_detail

namespace {
using interleavings_detail::Explorer;

Explorer* explorer() {
  return Explorer::current_explorer;
}
}  // namespace

Exploration explore_all(const ExploredScenario& scenario, const Bounds& bounds) {
  return Explorer(scenario, bounds).walk();
}

Exploration replay_one(const ExploredScenario& scenario, const Bounds& bounds,
                       const std::string& choices) {
  return Explorer(scenario, bounds).replay(choices);
}

ExploredWord::ExploredWord(std::uint64_t value) noexcept
    : bits(value), number(explorer() != nullptr ? explorer()->words++ : 0) {}

void expect(bool holds, const char* what) {
  if (!holds) explorer()->fail(what);
}

std::size_t explored_choice(std::size_t count) {
  return explorer()->choose(count);
}

void explored_yield() {
  explorer()->yield();
}

void explored_fence() {
  explorer()->point();
  explorer()->fence();
}

void explored_futex_wait(const ExploredWord& word, std::uint64_t value) {
  explorer()->point();
  explorer()->make_all_visible();
  if (word.bits == value) explorer()->block(nullptr, nullptr, &word);
}

void explored_futex_wake(const ExploredWord& word) {
  explorer()->point();
  explorer()->wake(word);
}

void ExploredMutex::lock() {
  while (locked_.exchange(true)) {
    wait_until([this] { return !locked_.peek(); });
  }
}

void ExploredMutex::unlock() {
  locked_.store(false);
}

namespace interleavings_detail {

void wait_until(Condition condition, const void* argument) {
  explorer()->point();
  explorer()->make_all_visible();
  if (!condition(argument)) explorer()->block(condition, argument, nullptr);
}

std::uint64_t load(const ExploredWord& word, std::memory_order order) {
  explorer()->point();
  return explorer()->read(word, order);
}

void store(ExploredWord& word, std::uint64_t bits, std::memory_order order) {
  explorer()->point();
  explorer()->write(word, bits, order);
}

std::uint64_t begin_exchange(ExploredWord& word, std::memory_order order) {
  explorer()->point();
  if (ExploredThread* thread = explorer()->running()) {
    explorer()->make_visible(*thread, &word);
    learn(acquires(order) ? thread->clock : thread->fence_acquired, word.released);
  }
  return word.bits;
}

void end_exchange(ExploredWord& word, std::uint64_t bits, std::memory_order order) {
  explorer()->exchange(word, bits, order);
}

void give_up_exchange(const ExploredWord& word) {
  explorer()->saw_last(word);
  explorer()->log(StepKind::failed, &word, word.bits);
}

void read_plain(const VectorClock& written, VectorClock& read, const char* what) {
  const ExploredThread* thread = explorer()->running();
  if (thread == nullptr) return;
  if (!is_before(written, thread->clock))
    explorer()->fail(std::string("read without order: ") + what);
  read[explorer()->running_number()] = thread->clock[explorer()->running_number()];
}

void write_plain(VectorClock& written, VectorClock& read, const char* what) {
  const ExploredThread* thread = explorer()->running();
  if (thread == nullptr) return;
  if (!is_before(written, thread->clock) || !is_before(read, thread->clock))
    explorer()->fail(std::string("written without order: ") + what);
  written = read = {};
  written[explorer()->running_number()] = thread->clock[explorer()->running_number()];
}

}  // namespace interleavings_detail

}  // namespace troupe::test
