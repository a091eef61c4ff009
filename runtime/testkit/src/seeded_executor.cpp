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

SeededExecutor::SeededExecutor(std::shared_ptr<SeededWorld> world) : world_(std::move(world)) {
  world_->add(*this);
}
SeededExecutor::~SeededExecutor() {
  world_->remove(*this);
}

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
  world_->note(std::uint64_t{sender} << 32 | to.serial);
  world_->note(message->type->text());
  pair_of(sender, to).queue.push_back({message, nullptr});
  count_push(to, false);  // what is under way counts as waiting: elsewhere it would be
}
void SeededExecutor::post_command(std::uint32_t sender, Cell& to, Command* command) {
  world_->note(std::uint64_t{sender} << 32 | to.serial);
  world_->note(static_cast<std::uint64_t>(command->kind));
  pair_of(sender, to).queue.push_back({nullptr, command});
}

void SeededExecutor::ended(const Ref<>& who, const ExitReason& why) {
  world_->note(who.address().serial);
  world_->note(why.text());
}

void SeededExecutor::deliver(std::size_t index) {
  Pair& pair = *pairs_[index];
  Cell& to = *pair.to;
  const UnderWay item = pair.queue.front();
  pair.queue.pop_front();
  world_->note(pair.sender);
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

std::size_t SeededExecutor::choices() {
  return ready_.size() + pairs_.size() + (jobs_.empty() ? 0 : 1);
}

void SeededExecutor::step(std::size_t choice) {
  if (choice < ready_.size()) {
    std::swap(ready_[choice], ready_.back());
    Runnable* runnable = ready_.back();
    ready_.pop_back();
    const auto& cell = *static_cast<Cell*>(runnable);
    world_->note(cell.serial);
    const std::uint32_t taken_before = cell.taken;
    worker_->run_one(*runnable);
    world_->note(cell.taken - taken_before);  // cells are never unmapped (D1)
    return;
  }
  choice -= ready_.size();
  if (choice < pairs_.size()) {
    deliver(choice);
    return;
  }
  BlockingJob* job = jobs_.front();
  jobs_.pop_front();
  world_->note(0xb10c);
  job->run(*job);
}

std::optional<TimePoint> SeededExecutor::next_wake() {
  return core_ != nullptr ? core_->timers().next_wake() : std::nullopt;
}

void SeededExecutor::wake(TimePoint now) {
  core_->timers().fire_due(now);
}

bool SeededExecutor::look() {
  if (core_ == nullptr) return false;
  look_at_memory(*core_);
  if (aside_.empty()) return false;
  const auto f = std::move(aside_.front());
  aside_.pop_front();
  f();
  return true;
}

void SeededExecutor::wait_outside(const std::function<bool()>& over,
                                  const std::atomic<std::uint32_t>&, TimePoint deadline) {
  world_->run(over, deadline);
}

bool SeededExecutor::stop(Duration) {
  while (const std::size_t n = choices())
    step(world_->random().below(static_cast<std::uint32_t>(n)));
  core_ = nullptr;
  return true;
}

}  // namespace troupe::testkit::detail
