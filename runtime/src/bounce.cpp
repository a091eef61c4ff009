// Messages that are not handled: dead letters, failed asks.
#include <troupe/runtime/detail/mutant.hpp>

#include "cell.hpp"
#include "system_core.hpp"

namespace troupe::detail {

/// The address of the actor of this generation; one that lived long ago has no serial any more.
Address Cell::address_of_life(std::uint32_t life) noexcept {
  const std::uint32_t own = own_generation();
  const bool is_known = life == own || (is(Phase::free) && (life & ~has_locked_lane) + 1 == own);
  return {this, life, is_known ? serial : 0};
}

void Cell::bounce(Envelope* e, DropReason reason) {
  const RequestPort port = take_port(e);
  if ((e->flags & (is_notice | is_timer_tick)) == 0) {
    core().dead_letters().add(
        {Ref<>{e->from}, Ref<>{address_of_life(e->to_generation)}, e->type->text(), reason});
  }
  if ((e->flags & is_timer_tick) != 0) {
    TimerRecord* timer = static_cast<TickEnvelope*>(e)->timer;
    timer->tick_waits = false;
    if (timer->cancelled) release_timer(timer);
  }
  if (port.slot != nullptr && !mutant("bounced_request_is_forgotten"))
    fail_reply(port, AskErrorKind::receiver_down, "the actor has ended");
  end_message(e);
}

/// Of an actor that has ended; not more than others can wait for (S45a). False: there may be more.
bool Cell::bounce_some() {
  constexpr int at_once = 1000;
  for (int i = 0; i < at_once; ++i) {
    Envelope* e = pop();
    if (e == nullptr) return true;
    const bool was_its = (e->to_generation & ~has_locked_lane) + 1 == own_generation();
    bounce(e, was_its ? DropReason::ended : DropReason::no_actor);
  }
  return mutant("mail_is_bounced_at_once") ? bounce_some() : false;
}

}  // namespace troupe::detail
