// Slowing those who send to an actor that can't keep up (DESIGN.md D2).
//
// A sender whose message finds more than slow_senders_above others waiting is marked, and after the
// message it handles it waits: until the receiver's mailbox is half that, a command or an answer
// comes for it, or slow_senders_for is over; then it goes on with its next message. Senders are
// sampled, one of 64 messages. The wait is an ask whose answer comes from the receiver, so it is an
// edge of the graph of waits: one that would close a ring is not begun, and one through which
// another wait would is ended. So it is a delay and never part of a deadlock.
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

#include "cell.hpp"
#include "system_core.hpp"

namespace troupe::detail {

/// Ends a slowdown, if it is not over: that is no late answer, and counted by nobody.
void go_on(const RequestPort& slowed) noexcept {
  if (win_slot(slowed)) finish_reply(slowed);
}

void slow_sender(SystemCore& core, Worker* worker, const Address& to) noexcept {
  const std::uint32_t most = core.options().slow_senders_above;
  if (worker == nullptr || worker->cell == nullptr || worker->turn == nullptr || most == 0) return;
  Cell& sender = *worker->cell;
  if (&sender == to.cell || sender.own_type().child_observer != nullptr) return;  // supervisors
  if (mailbox_length(*to.cell) > most && !mutant("flooding_slows_nobody"))
    made(sender.ext().back_pressure).slow_target = to;
}

/// Whether this actor waits behind one that it floods. Between two messages.
bool Cell::is_slowed() {
  BackPressure* b = extension.seen_by_reaper()->back_pressure.seen_by_reaper();
  if (b == nullptr) return false;
  if (b->slow_target.cell != nullptr) begin_slowdown(std::exchange(b->slow_target, {}));
  if (b->slowdown.slot == nullptr) return false;
  if (!detail::is_over(b->slowdown)) return true;
  end_slowdown();
  return false;
}

void Cell::begin_slowdown(const Address& target) {
  const std::uint32_t length = detail::mailbox_length(target);
  const SystemOptions& options = core().options();
  if (length == ~std::uint32_t{0} || length <= options.slow_senders_above / 2) return;
  const RequestPort port = open_slot(target, options.slow_senders_for, reply_destroyer<void>());
  port.slot->asked.store(&message_type<Slowdown>, std::memory_order_relaxed);  // as in new_request
  extension->back_pressure->slowdown = port;
  show_wait(port.slot, true);
  Address any;  // on the way somebody waits for one of several answers: this may be part of a ring
  if (closes_ring(port, nullptr, &any) || any.cell != nullptr) {
    end_slowdown();
    return;
  }
  Counters::add(Worker::current()->counters.slowed);
  auto* command = new SlowdownCommand;
  command->kind = CommandKind::slowdown;
  command->to_generation = target.generation;
  command->sender = port;
  send_command(*target.cell, command);
}

void Cell::end_slowdown() {
  BackPressure* b = extension.seen_by_reaper()->back_pressure.seen_by_reaper();
  if (b == nullptr || b->slowdown.slot == nullptr) return;
  waits_for.store(0, std::memory_order_relaxed);  // a hint to others
  release_slot(std::exchange(b->slowdown, {}));
}

/// The receiver's side: a sender waits.
void Cell::handle_slowdown(const RequestPort& sender) {
  std::vector<RequestPort>& line = made(ext().back_pressure).slowed_senders;
  if (line.size() >= 16 && line.size() == line.capacity())  // about to double: who went on leaves
    std::erase_if(line, [](const RequestPort& s) { return s.slot->is_over(s.generation); });
  line.push_back(sender);
  release_slowed_senders(core().options().slow_senders_above / 2);
}

/// Lets the slowed senders go on once no more than so many messages wait.
void Cell::release_slowed_senders(std::uint32_t when) {
  BackPressure* b = extension.seen_by_reaper()->back_pressure.seen_by_reaper();
  if (b == nullptr || b->slowed_senders.empty() || detail::mailbox_length(*this) > when) return;
  for (const RequestPort& sender : std::exchange(b->slowed_senders, {})) go_on(sender);
}

}  // namespace troupe::detail
