#include "explorer.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

namespace troupe::test::interleavings_detail {

namespace {

constexpr std::size_t stack_bytes = 128 * 1024;
constexpr const char* step_texts[] = {"reads",
                                      "reads, without the last write to it,",
                                      "writes",
                                      "writes, seen by itself only,",
                                      "lets all see its earlier write of",
                                      "exchanges",
                                      "fails to exchange",
                                      "fence",
                                      "waits, wakes or yields"};

}  // namespace

Explorer* Explorer::current_explorer = nullptr;

Explorer::Explorer(const ExploredScenario& scenario, const Bounds& bounds)
    : scenario_(scenario), bounds_(bounds), threads_(scenario.threads) {
  current_explorer = this;
  for (ExploredThread& thread : threads_) thread.stack = std::make_unique<std::byte[]>(stack_bytes);
}

// ---- the walk

Exploration Explorer::walk() {
  Exploration result;
  std::uint64_t tried = 0;
  for (allowed_ = 0; allowed_ <= bounds_.preemptions; ++allowed_) {
    path_.clear();
    result.executions = 0;
    do {
      execute();
      ++result.executions;
      ++tried;
      if (!finding_.empty()) {
        report(result);
        result.executions = tried;
        return result;
      }
      if (result.executions == bounds_.executions) return result;
    } while (next_path());
  }
  result.is_complete = true;
  return result;
}

Exploration Explorer::replay(const std::string& choices) {
  std::istringstream in(choices);
  std::uint16_t chosen = 0;
  in >> allowed_;
  while (in >> chosen) path_.push_back({chosen, 0});
  execute();
  Exploration result;
  result.executions = 1;
  report(result);
  return result;
}

/// The next list of choices; false: that was the last.
bool Explorer::next_path() {
  while (!path_.empty()) {
    if (++path_.back().chosen < path_.back().count) return true;
    path_.pop_back();
  }
  return false;
}

std::size_t Explorer::choose(std::size_t count) {
  if (count == 1) return 0;
  if (depth_ == path_.size()) path_.push_back({0, 0});
  Choice& choice = path_[depth_++];
  choice.count = static_cast<std::uint16_t>(count);
  return std::min<std::size_t>(choice.chosen, count - 1);
}

void Explorer::report(Exploration& result) const {
  result.finding = finding_;
  result.schedule = schedule_;
  result.choices = std::to_string(allowed_) + ' ';
  for (const Choice& choice : path_) result.choices += std::to_string(choice.chosen) + ' ';
}

// ---- one execution

void Explorer::begin_threads() {
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    ExploredThread& thread = threads_[i];
    if (!thread.has_ended) {  // new, or left asleep by the last execution
      thread.context =
          ctx::make_fcontext(thread.stack.get() + stack_bytes, stack_bytes, &enter_thread);
    }
    thread.has_ended = thread.has_yielded = false;
    thread.sleeps_on = nullptr;
    thread.condition = nullptr;
    thread.delayed.clear();
    thread.clock = thread.fence_acquired = thread.fence_released = thread.fence_seen = {};
    thread.clock[i] = 1;
  }
}

void Explorer::execute() {
  begin_threads();
  preemptions_ = delayed_ = 0;
  steps_ = words = 0;
  fences_ = {};
  depth_ = 0;
  log_.clear();
  running_ = none;
  state_ = scenario_.make();
  for (next_ = pick(); next_ != none && finding_.empty();) {
    running_ = next_;
    just_resumed_ = true;
    ExploredThread& thread = threads_[running_];
    thread.context = ctx::jump_fcontext(thread.context, this).fctx;
    if (threads_[running_].has_ended || next_ == running_) next_ = pick();
  }
  running_ = none;
  if (finding_.empty()) scenario_.check(state_);
  if (!finding_.empty()) {
    std::ostringstream out;
    for (const Step& step : log_) {
      out << scenario_.names[step.thread] << ' ' << step_texts[static_cast<std::size_t>(step.kind)];
      if (step.word != nullptr) {
        out << " #" << std::dec << step.word->number << ' '
            << (step.word->name != nullptr ? step.word->name : "") << " = 0x" << std::hex
            << step.bits;
      }
      out << '\n';
    }
    schedule_ = out.str();
  }
  scenario_.destroy(state_);
}

void Explorer::enter_thread(ctx::transfer_t from) {
  auto& self = *static_cast<Explorer*>(from.data);
  self.scheduler_ = from.fctx;
  for (;;) {
    self.scenario_.run(self.state_, self.running_);
    ExploredThread& thread = *self.running();
    self.make_all_visible();
    thread.has_ended = true;
    self.leave_thread();
  }
}

/// To the scheduler, and back when it is this thread's turn.
void Explorer::leave_thread() {
  scheduler_ = ctx::jump_fcontext(scheduler_, nullptr).fctx;
}

bool Explorer::can_go_on(const ExploredThread& thread) const {
  return !thread.has_ended && !thread.has_yielded && thread.sleeps_on == nullptr &&
         (thread.condition == nullptr || thread.condition(thread.argument));
}

std::size_t Explorer::others_that_can(std::array<std::size_t, explored_threads_max>& out) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (i != running_ && can_go_on(threads_[i])) out[count++] = i;
  }
  return count;
}

/// Whose step comes next. None: all have ended, or there is a finding.
std::size_t Explorer::pick() {
  const bool goes_on = running_ != none && can_go_on(threads_[running_]);
  if (goes_on && preemptions_ == allowed_) return running_;
  std::array<std::size_t, explored_threads_max> others{};
  const std::size_t count = others_that_can(others);
  if (goes_on) {
    const std::size_t chosen = choose(count + 1);
    if (chosen == 0) return running_;
    ++preemptions_;
    return others[chosen - 1];
  }
  if (count != 0) return others[choose(count)];
  // Nobody can: who yielded must go on; delayed stores become visible at last.
  running_ = none;
  bool changed = false;
  for (ExploredThread& thread : threads_) {
    changed = changed || thread.has_yielded || !thread.delayed.empty();
    thread.has_yielded = false;
    make_visible(thread, nullptr);
  }
  if (changed) return pick();
  const bool all_ended = std::all_of(threads_.begin(), threads_.end(),
                                     [](const ExploredThread& t) { return t.has_ended; });
  if (!all_ended && !scenario_.may_end_asleep && finding_.empty())
    finding_ = "all threads wait for each other";
  return none;
}

// ---- steps

void Explorer::point() {
  if (running_ == none) return;
  if (++steps_ > bounds_.steps) fail("it goes on and on");
  if (!std::exchange(just_resumed_, false)) {
    const std::size_t me = running_;
    next_ = pick();
    if (next_ != me) leave_thread();
    just_resumed_ = false;
  }
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (i != running_) threads_[i].has_yielded = false;
  }
}

void Explorer::block(Condition condition, const void* argument, const ExploredWord* sleeps_on) {
  ExploredThread& thread = *running();
  thread.condition = condition;
  thread.argument = argument;
  thread.sleeps_on = sleeps_on;
  next_ = running_;
  leave_thread();
  thread.condition = nullptr;
}

void Explorer::yield() {
  if (running_ == none) return;
  if (++steps_ > bounds_.steps) fail("it goes on and on");
  log(StepKind::other);
  running()->has_yielded = true;
  next_ = running_;
  leave_thread();
}

/// In a thread this does not return: its stack is left as it is.
void Explorer::fail(std::string what) {
  if (finding_.empty()) finding_ = std::move(what);
  if (running_ != none) leave_thread();
}

void Explorer::log(StepKind kind, const ExploredWord* word, std::uint64_t bits) {
  if (running_ != none) log_.push_back({running_, kind, word, bits});
}

}  // namespace troupe::test::interleavings_detail
