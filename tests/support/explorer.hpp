// The walk through all interleavings, and what threads see of each other's stores: see
// interleavings.hpp.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <memory>
#include <string>
#include <vector>

#include "interleavings.hpp"

namespace troupe::test::interleavings_detail {

namespace ctx = boost::context::detail;

inline constexpr std::size_t none = explored_threads_max;

struct DelayedStore {
  ExploredWord* word;
  std::uint64_t bits;
  VectorClock released;
  std::uint32_t written_at;
};

struct ExploredThread {
  ctx::fcontext_t context = nullptr;
  std::unique_ptr<std::byte[]> stack;
  bool has_ended = false;
  bool has_yielded = false;  // until another thread has made a step
  const ExploredWord* sleeps_on = nullptr;
  Condition condition = nullptr;
  const void* argument = nullptr;
  std::vector<DelayedStore> delayed;  // the store buffer, oldest first
  VectorClock clock{};
  VectorClock fence_acquired{};  // what an acquiring fence will learn from relaxed loads
  VectorClock fence_released{};  // what relaxed stores pass on, since the last fence
  VectorClock fence_seen{};      // of what others did before their fences, as of its own last fence
};

enum class StepKind : std::uint8_t {
  load,
  late,
  store,
  delayed,
  visible,
  exchange,
  failed,
  fence,
  other
};
struct Step {
  std::size_t thread;
  StepKind kind;
  const ExploredWord* word;
  std::uint64_t bits;
};

struct Choice {
  std::uint16_t chosen;
  std::uint16_t count;
};

class Explorer {
 public:
  Explorer(const ExploredScenario& scenario, const Bounds& bounds);
  ~Explorer() { current_explorer = nullptr; }
  Explorer(const Explorer&) = delete;
  Explorer& operator=(const Explorer&) = delete;

  Exploration walk();
  Exploration replay(const std::string& choices);

  // What a step of the running thread does.
  void point();
  void block(Condition condition, const void* argument, const ExploredWord* sleeps_on);
  void yield();
  std::uint64_t read(const ExploredWord& word, std::memory_order order);
  void saw_last(const ExploredWord& word);
  bool reads_late(const ExploredWord& word, std::memory_order order);
  void set(std::size_t writer, const DelayedStore& store);
  void write(ExploredWord& word, std::uint64_t bits, std::memory_order order);
  void exchange(ExploredWord& word, std::uint64_t bits, std::memory_order order);
  void make_visible(ExploredThread& thread, const ExploredWord* up_to);
  void make_all_visible();
  void fence();
  void wake(const ExploredWord& word);
  std::size_t choose(std::size_t count);
  void fail(std::string what);
  void log(StepKind kind, const ExploredWord* word = nullptr, std::uint64_t bits = 0);
  ExploredThread* running() { return running_ == none ? nullptr : &threads_[running_]; }
  std::size_t running_number() const { return running_; }

  static Explorer* current_explorer;
  std::uint32_t words = 0;

 private:
  static void enter_thread(ctx::transfer_t from);
  void execute();
  void begin_threads();
  bool next_path();
  std::size_t pick();
  std::size_t others_that_can(std::array<std::size_t, explored_threads_max>& out);
  bool can_go_on(const ExploredThread& thread) const;
  void leave_thread();
  void report(Exploration& result) const;

  const ExploredScenario& scenario_;
  const Bounds bounds_;
  std::vector<ExploredThread> threads_;
  ctx::fcontext_t scheduler_ = nullptr;
  void* state_ = nullptr;
  int allowed_ = 0;  // pre-emptions
  // of one execution
  std::size_t running_ = none;
  std::size_t next_ = none;
  bool just_resumed_ = false;  // it has been chosen for the step that comes
  int preemptions_ = 0;
  int delayed_ = 0;
  std::uint32_t steps_ = 0;
  std::size_t depth_ = 0;
  std::vector<Choice> path_;
  VectorClock fences_{};  // what all threads did before their last fences and seq_cst writes
  std::vector<Step> log_;
  std::string finding_;
  std::string schedule_;
};

}  // namespace troupe::test::interleavings_detail
