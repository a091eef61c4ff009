// Group restarts (one_for_all, rest_for_one): who is halted, who is started again, and what waits
// meanwhile.
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>
#include <troupe/supervision/supervisor.hpp>

namespace troupe::detail {

void SupervisorBase::restart_now(SupervisedChild& cause) {
  if (options_.strategy == Strategy::one_for_one || options_.strategy == Strategy::dynamic) {
    restart_child_now(cause);
    return;
  }
  cause.mail_is_limited = cause.state == ChildState::backing_off;
  set(cause, ChildState::held);
  Group group;
  bool takes_part = options_.strategy == Strategy::one_for_all;
  for (SupervisedChild& child : children_) {
    takes_part = takes_part || &child == &cause;
    if (!takes_part || child.state == ChildState::stopped || child.state == ChildState::leaving ||
        child.by_hand)
      continue;
    if (&child != &cause) group.to_halt.push_back(&child);
    group.to_start.push_back(&child);
  }
  group_ = std::move(group);
  halt_next();
}

/// Halts what is left to halt, last first; then starts.
void SupervisorBase::halt_next() {
  while (!group_->to_halt.empty()) {
    if (mutant("siblings_stop_in_start_order"))
      std::swap(group_->to_halt.front(), group_->to_halt.back());
    SupervisedChild& child = *group_->to_halt.back();
    group_->to_halt.pop_back();
    switch (child.state) {
      case ChildState::held:
      case ChildState::leaving:
      case ChildState::stopped: continue;
      case ChildState::backing_off:
        child.mail_is_limited = true;
        set(child, ChildState::held);
        continue;
      default:
        group_->current = &child;
        halt(child);
        return;
    }
  }
  start_next();
}

void SupervisorBase::start_next() {
  while (!group_->to_start.empty()) {
    SupervisedChild& child = *group_->to_start.front();
    group_->to_start.pop_front();
    if (child.state != ChildState::held) continue;
    if (child.spec.restart == Restart::temporary &&
        !mutant(
            "siblings_restart_temporary")) {  // never restarted, not even along with others (S62)
      leave(child);
      continue;
    }
    group_->current = &child;
    restart_child_now(child);
    return;
  }
  end_group();
}

void SupervisorBase::end_group() {
  group_.reset();
  go_on();
}

/// What waited for a group's end is looked at; then what groups left held goes on, but for those
/// that a child which is still to be restarted takes along.
void SupervisorBase::go_on() {
  while (!queued_.empty() && !group_) {
    const auto next = std::move(queued_.front());
    queued_.pop_front();
    next();
  }
  if (group_ || shutting_down_ || gave_up_ || count(ChildState::held) == 0) return;
  Group group;
  for (SupervisedChild& child : children_) {
    if (child.state == ChildState::backing_off || child.state == ChildState::restarting) {
      if (options_.strategy == Strategy::one_for_all) return;
      if (options_.strategy == Strategy::rest_for_one) break;
    }
    if (child.state == ChildState::held) group.to_start.push_back(&child);
  }
  if (group.to_start.empty()) return;
  group_ = std::move(group);
  start_next();
}

/// The child, if it still waits for what is decided about that end of it.
SupervisedChild* SupervisorBase::find_held(std::uint64_t number, std::uint64_t end) {
  const auto found = by_number_.find(number);
  if (found == by_number_.end() || found->second->state != ChildState::held) return nullptr;
  const bool is_that_end = found->second->ends == end || mutant("decision_is_for_any_end");
  return is_that_end ? found->second : nullptr;
}

/// A child that failed to start within a group, after what had waited for the group's end.
void SupervisorBase::retry(std::uint64_t number, std::uint64_t end, const Ended& ended) {
  const auto found = by_number_.find(number);
  if (found == by_number_.end()) return;
  if (SupervisedChild* held = find_held(number, end)) {
    decide(*held, ended);
  } else if (!found->second->by_hand) {
    // Another's restart took it along; its own failure counts all the same (S64).
    static_cast<void>(count_restart(*found->second, ended.why));
  }
}

}  // namespace troupe::detail
