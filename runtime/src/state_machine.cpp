// What a state machine does at its events and changes of state.
#include <troupe/runtime/state_machine.hpp>

#include <utility>

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

void at_turn_end(std::unique_ptr<TurnEnd> end) {
  Worker* worker = Worker::current();
  if (worker == nullptr || worker->turn == nullptr)
    throw UsageError("go_to is for handlers, on_start and on_enter");
  auto& turn = *static_cast<CellTurn*>(worker->turn);
  delete std::exchange(turn.at_end, end.release());
}

void StateMachineBase::event_comes(Cell& cell) {
  if (std::exchange(waits_for_event_, false)) cancel_actor_timer(cell, event_timeout_key());
}

namespace {

struct ChangeState final : TurnEnd {
  ChangeState(StateMachineBase& m, std::shared_ptr<StateBehavior> s)
      : machine(m), state(std::move(s)) {}
  void run(Cell& cell) override { machine.change_state(cell, std::move(state)); }
  StateMachineBase& machine;
  std::shared_ptr<StateBehavior> state;
};

}  // namespace

void StateMachineBase::set_next_state(std::shared_ptr<StateBehavior> state) {
  at_turn_end(std::make_unique<ChangeState>(*this, std::move(state)));
}

/// One change at a time: where a reentrant machine goes on while on_exit or on_enter wait, what it
/// goes to meanwhile comes after.
void StateMachineBase::change_state(Cell& cell, std::shared_ptr<StateBehavior> state) {
  next_.push_back(std::move(state));
  if (is_changing_) return;
  struct Changing {
    StateMachineBase& machine;
    explicit Changing(StateMachineBase& m) : machine(m) { machine.is_changing_ = true; }
    ~Changing() {
      machine.is_changing_ = false;
      machine.next_.clear();
    }
  } changing{*this};
  while (!next_.empty()) {
    const auto next = std::move(next_.front());
    next_.pop_front();
    auto old = made(cell.ext().intake).behavior;  // kept while its on_exit runs
    if (state_ != nullptr) state_->exit();
    cancel_actor_timer(cell, state_timeout_key());
    state_ = next.get();
    set_behavior(cell, next);
    unstash_all(cell);
    old = nullptr;
    next->enter();
  }
}

void StateMachineBase::check_state_timeout() const {
  if (state_ != nullptr && state_->takes_state_timeout) return;
  throw UsageError(
      "the state asks for a timeout and has no handler: void receive(const StateTimeout&)");
}
void StateMachineBase::check_event_timeout() const {
  if (state_ != nullptr && state_->takes_event_timeout) return;
  throw UsageError(
      "the state asks for a timeout and has no handler: void receive(const EventTimeout&)");
}

}  // namespace troupe::detail
