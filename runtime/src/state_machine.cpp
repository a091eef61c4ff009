// What a state machine does at its events and changes of state.
#include <troupe/runtime/state_machine.hpp>

#include "cell.hpp"
#include "scheduler/worker.hpp"

namespace troupe::detail {

const TimerKey& state_timeout_key() {
  static const TimerKey key{"troupe: state timeout"};
  return key;
}
const TimerKey& event_timeout_key() {
  static const TimerKey key{"troupe: event timeout"};
  return key;
}

ActorBase& actor_of(Cell& cell) {
  return cell.actor();
}

void at_turn_end(void (*apply)(Cell& cell)) {
  Worker* worker = Worker::current();
  if (worker == nullptr || worker->turn == nullptr)
    throw UsageError("go_to is for handlers, on_start and on_enter");
  static_cast<CellTurn*>(worker->turn)->at_end = apply;
}

void StateMachineBase::event_comes(Cell& cell) {
  if (std::exchange(waits_for_event_, false)) cancel_actor_timer(cell, event_timeout_key());
}

void StateMachineBase::set_next_state(std::shared_ptr<StateBehavior> state,
                                      void (*apply)(Cell& cell)) {
  at_turn_end(apply);
  next_ = std::move(state);
}

void StateMachineBase::change_state(Cell& cell) {
  if (next_ == nullptr) return;  // another handler's turn ended first
  const auto old = std::exchange(state_, nullptr);
  if (old != nullptr) old->exit();
  cancel_actor_timer(cell, state_timeout_key());
  state_ = std::exchange(next_, nullptr);
  set_behavior(cell, state_);
  unstash_all(cell);
  const auto entered = state_;  // on_enter may wait, and a reentrant machine go on
  entered->enter();
}

void StateMachineBase::check_takes(const MessageType& type) const {
  if (state_ != nullptr && state_->takes(type)) return;
  throw UsageError("the state has no handler for the timeout it asks for: void receive(const " +
                   std::string(type.text()) + "&)");
}

}  // namespace troupe::detail
