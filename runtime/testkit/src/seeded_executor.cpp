#include "seeded_executor.hpp"

#include <algorithm>
#include <utility>

#include "cell.hpp"
#include "system_core.hpp"

namespace troupe::testkit::detail {

using troupe::detail::BlockingJob;
using troupe::detail::Cell;
using troupe::detail::Command;
using troupe::detail::Envelope;
using troupe::detail::Mailbox;
using troupe::detail::Runnable;

/// Runs what it is given and comes back.
class SeededExecutor::OneStepWorker final : public troupe::detail::Worker {
 public:
  OneStepWorker(SeededExecutor& executor, troupe::detail::SystemCore& system,
                troupe::detail::StackPool& stacks)
      : Worker(system, stacks, 1), executor_(executor) {}
  void push(Runnable& runnable) override { executor_.submit(runnable); }
  void run_one(Runnable& runnable) {
    given_ = &runnable;
    enter();
  }

 private:
  Runnable* next() override { return std::exchange(given_, nullptr); }
  SeededExecutor& executor_;
  Runnable* given_ = nullptr;
};

SeededExecutor::SeededExecutor(std::uint64_t seed, std::shared_ptr<ManualClock> clock)
    : random_(seed), clock_(std::move(clock)) {}
SeededExecutor::~SeededExecutor() = default;

void SeededExecutor::start(troupe::detail::SystemCore& core) {
  core_ = &core;
  stacks_ = std::make_unique<troupe::detail::StackPool>(core.stack_bytes());
  worker_ = std::make_unique<OneStepWorker>(*this, core, *stacks_);
  core.add_worker(*worker_);
}

void SeededExecutor::submit(Runnable& runnable) {
  ready_.push_back(&runnable);
}
void SeededExecutor::submit_blocking(BlockingJob& job) {
  jobs_.push_back(&job);
}
void SeededExecutor::run_aside(std::function<void()> f) {
  aside_.push_back(std::move(f));
}

SeededExecutor::Pair& SeededExecutor::pair_of(std::uint32_t sender, Cell& to) {
  const std::uint64_t key = std::uint64_t{sender} << 32 | to.serial;
  Pair*& pair = pair_by_key_[key];
  if (pair == nullptr) {
    pairs_.push_back(std::make_unique<Pair>());
    pair = pairs_.back().get();
    pair->sender = key;
    pair->to = &to;
  }
  return *pair;
}

void SeededExecutor::post_message(std::uint32_t sender, Cell& to, Envelope* message) {
  note(std::uint64_t{sender} << 32 | to.serial);
  note(message->type->text());
  pair_of(sender, to).queue.push_back({message, nullptr});
  count_push(to, false);  // what is under way counts as waiting: elsewhere it would be
}
void SeededExecutor::post_command(std::uint32_t sender, Cell& to, Command* command) {
  note(std::uint64_t{sender} << 32 | to.serial);
  note(static_cast<std::uint64_t>(command->kind));
  pair_of(sender, to).queue.push_back({nullptr, command});
}

void SeededExecutor::note(std::uint64_t event) noexcept {
  trace_ = (trace_ ^ event) * 1099511628211ull;
}

void SeededExecutor::note(std::string_view text) noexcept {
  for (const char c : text) note(static_cast<unsigned char>(c));
}
void SeededExecutor::ended(const Ref<>& who, const ExitReason& why) {
  note(who.address().serial);
  note(why.text());
}

void SeededExecutor::deliver(std::size_t index) {
  Pair& pair = *pairs_[index];
  Cell& to = *pair.to;
  const UnderWay item = pair.queue.front();
  pair.queue.pop_front();
  note(pair.sender);
  if (pair.queue.empty()) {
    pair_by_key_.erase(pair.sender);
    std::swap(pairs_[index], pairs_.back());
    pairs_.pop_back();
  }
  bool wakes = false;
  if (item.message != nullptr) {
    wakes = Mailbox::push(to.in, item.message);
  } else {
    wakes = Mailbox::push_command(to.in, to.out, item.command);
  }
  if (wakes) submit(to);
}

bool SeededExecutor::step() {
  const std::size_t choices = ready_.size() + pairs_.size() + (jobs_.empty() ? 0 : 1);
  if (choices == 0) return false;
  std::size_t choice = random_.below(static_cast<std::uint32_t>(choices));
  if (choice < ready_.size()) {
    std::swap(ready_[choice], ready_.back());
    Runnable* runnable = ready_.back();
    ready_.pop_back();
    const auto& cell = *static_cast<Cell*>(runnable);
    note(cell.serial);
    const std::uint32_t taken_before = cell.taken;
    worker_->run_one(*runnable);
    note(cell.taken - taken_before);  // cells are never unmapped (D1)
    return true;
  }
  choice -= ready_.size();
  if (choice < pairs_.size()) {
    deliver(choice);
    return true;
  }
  BlockingJob* job = jobs_.front();
  jobs_.pop_front();
  note(0xb10c);
  job->run(*job);
  return true;
}

void SeededExecutor::wait_outside(const std::function<bool()>& over,
                                  const std::atomic<std::uint32_t>&, TimePoint deadline) {
  while (!over()) {
    look_at_memory(*core_);
    if (!aside_.empty()) {
      const auto f = std::move(aside_.front());
      aside_.pop_front();
      f();
      continue;
    }
    if (step()) continue;
    const auto wake = core_->timers().next_wake();
    if (!wake || *wake > deadline) {
      if (deadline != TimePoint::max()) clock_->move_to(deadline);
      look_at_memory(*core_);
      return;
    }
    clock_->move_to(*wake);
    note(static_cast<std::uint64_t>(wake->time_since_epoch().count()));
    core_->timers().fire_due(clock_->now());
  }
}

bool SeededExecutor::stop(Duration) {
  while (step()) {
  }
  return true;
}

}  // namespace troupe::testkit::detail
