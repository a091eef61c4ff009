// The mailbox of an actor whose messages wait under a lock: bounded, or with priorities.
#include <vector>

#include "cell.hpp"
#include "system_core.hpp"

namespace troupe::detail {

/// As pop.
Envelope* Cell::take_from_lane() {
  RequestPort admitted;
  std::vector<Envelope*> late;
  Envelope* e = lane()->take(admitted, late);
  if (admitted.slot != nullptr) {
    pushed.fetch_add(1, std::memory_order_relaxed);  // a figure for reports
    publish_slot(*admitted.slot, SlotState::value);
  }
  for (Envelope* given_up : late) bounce(given_up, DropReason::mailbox_full);
  if (e == nullptr) return nullptr;
  const std::uint32_t count = taken.load(std::memory_order_relaxed) + 1;  // the owner's
  taken.store(count, std::memory_order_relaxed);                          // a figure for reports
  return e;
}

Cell::Next Cell::take_one_from_lane() {
  Envelope* e = take_from_lane();
  if (e == nullptr) return sleep();
  deliver(e, *Worker::current());
  return Next::took_one;
}

void Cell::close_lane() {
  if (lane() == nullptr) return;
  core().locked_lanes().remove(serial);
  for (const auto& left : lane()->close()) {
    bounce(left.envelope, DropReason::ended);
    if (left.waiter.slot != nullptr) {
      fail_reply(left.waiter, AskErrorKind::receiver_down, "the actor has ended");
    } else {
      taken.fetch_add(1, std::memory_order_relaxed);  // a figure for reports
    }
  }
  extension->intake->lane = nullptr;
}

}  // namespace troupe::detail
