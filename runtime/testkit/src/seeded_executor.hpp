// One System's part of a SeededWorld: one thread, virtual time, and a seed that decides everything
// else.
//
// A step is one of: a runnable has its turn, a message or command that is under way is delivered, a
// blocking job runs. Among all steps that are possible the seed picks one. First in, first out
// holds for each pair of sender and receiver and lane; between pairs any order is possible, so that
// code which relies on more than S2 and S3 fails (S4).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include <troupe/runtime/dead_letters.hpp>
#include <troupe/testkit/seeded_world.hpp>

#include "scheduler/executor.hpp"
#include "scheduler/worker.hpp"

namespace troupe::testkit::detail {

/// Thread safety: the test's thread only.
class SeededExecutor final : public troupe::detail::Executor,
                             public troupe::detail::Delivery,
                             public Observer,
                             private StepSource {
 public:
  explicit SeededExecutor(std::shared_ptr<SeededWorld> world);
  ~SeededExecutor() override;

  void start(troupe::detail::SystemCore& core) override;
  void submit(troupe::detail::Runnable& runnable) override;
  void submit_blocking(troupe::detail::BlockingJob& job) override;
  void timers_changed() override {}
  void wait_outside(const std::function<bool()>& over, const std::atomic<std::uint32_t>& word,
                    TimePoint deadline) override;
  void run_aside(std::function<void()> f) override;
  void join_aside() override { aside_.clear(); }
  Delivery* delivery() override { return this; }
  bool stop(Duration limit) override;

  bool takes(const troupe::detail::Address& to, troupe::detail::Envelope* message,
             std::optional<Duration> delay) override {
    if (seer_) seer_(to, *message);
    return taker_ && taker_(to, message, delay);
  }
  void post_message(std::uint32_t sender, troupe::detail::Cell& to,
                    troupe::detail::Envelope* message) override;
  void post_command(std::uint32_t sender, troupe::detail::Cell& to,
                    troupe::detail::Command* command) override;

  /// `taker` sees each message before it is sent, and keeps it by returning true.
  using Taker =
      std::function<bool(const troupe::detail::Address& to, troupe::detail::Envelope* message,
                         std::optional<Duration> delay)>;
  void take_with(Taker taker) { taker_ = std::move(taker); }
  /// `seer` sees each message before that, and may replace its value.
  using Seer =
      std::function<void(const troupe::detail::Address& to, troupe::detail::Envelope& message)>;
  void see_with(Seer seer) { seer_ = std::move(seer); }

  void ended(const Ref<>& who, const ExitReason& why) override;

  /// Of every send, delivery, turn with the messages it took, timer, and end so far.
  [[nodiscard]] std::uint64_t trace_hash() const noexcept { return world_->trace_hash(); }

 private:
  class OneStepWorker;
  struct UnderWay {
    troupe::detail::Envelope* message = nullptr;
    troupe::detail::Command* command = nullptr;
  };
  struct Pair {
    std::uint64_t sender = 0;
    troupe::detail::Cell* to = nullptr;
    std::deque<UnderWay> queue;
  };
  [[nodiscard]] std::size_t choices() override;
  void step(std::size_t choice) override;
  [[nodiscard]] std::optional<TimePoint> next_wake() override;
  void wake(TimePoint now) override;
  bool look() override;
  Pair& pair_of(std::uint32_t sender, troupe::detail::Cell& to);
  void deliver(std::size_t index);

  std::shared_ptr<SeededWorld> world_;
  troupe::detail::SystemCore* core_ = nullptr;
  std::unique_ptr<troupe::detail::StackPool> stacks_;
  std::unique_ptr<OneStepWorker> worker_;
  std::vector<troupe::detail::Runnable*> ready_;
  std::vector<std::unique_ptr<Pair>> pairs_;  // those with something under way
  std::unordered_map<std::uint64_t, Pair*> pair_by_key_;
  std::deque<troupe::detail::BlockingJob*> jobs_;
  std::deque<std::function<void()>> aside_;
  Taker taker_;
  Seer seer_;
};

}  // namespace troupe::testkit::detail
