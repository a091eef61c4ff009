// Stash, urgent messages, behaviors and the receive timeout: what changes when a message is
// handled, and by what.
#include "held_mail.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <troupe/runtime/actor.hpp>
#include <troupe/runtime/detail/mutant.hpp>

#include "cell.hpp"
#include "system_core.hpp"

namespace troupe::detail {

namespace {

CellTurn& turn_of_message(const char* what) {
  auto* turn = static_cast<CellTurn*>(Worker::current()->turn);
  if (turn == nullptr || turn->envelope == nullptr)
    throw UsageError(std::string(what) + " is for the handler of a message");
  return *turn;
}

HeldMail& held_mail_of(Cell& cell) {
  return made(made(cell.ext().intake).held_mail);
}

std::size_t stash_max_of(const Cell& self) {
  const std::uint32_t own = self.intake() != nullptr ? self.intake()->stash_max : 0;
  return own != 0 ? own : self.core().options().stash_max;
}

/// Throws unless the message of this turn may be stashed.
void check_stash(Cell& self, const CellTurn& turn) {
  if (turn.is_kept && !mutant("stashed_twice")) throw UsageError("the message was stashed already");
  const StashState state = stash_state(self);
  if (state.size < state.max || mutant("stash_without_bound")) return;
  throw StashOverflow("the stash holds " + std::to_string(state.max) +
                      " messages, and no more go in: see SpawnOptions::stash_max");
}

void keep(Cell& self, Envelope* e, CellTurn& turn) {
  if ((e->flags & is_request) != 0) static_cast<RequestEnvelope*>(e)->port = turn.take_port();
  e->flags |= is_busy;
  held_mail_of(self).stash.push_back(e);
  turn.is_kept = true;
}

}  // namespace

bool stash_current(Cell& self, const void* message) {
  CellTurn& turn = turn_of_message("stash");
  check_stash(self, turn);
  if (message != payload(*turn.envelope) || (turn.envelope->flags & is_timer_tick) != 0)
    return false;
  if (turn.port.slot != nullptr && (turn.envelope->flags & is_request) == 0) return false;
  keep(self, turn.envelope, turn);
  turn.envelope_is_kept = true;
  return true;
}

void stash_copy(Cell& self, Envelope* e) {
  CellTurn& turn = turn_of_message("stash");
  e->from = turn.envelope->from;
  e->to_generation = self.own_generation();
  keep(self, e, turn);
}

void return_request(const RequestPort& port) {
  turn_of_message("stash").port = port;
  if (port.slot != nullptr && !mutant("stashed_request_hides_a_ring"))
    port.slot->keep_duty(port.generation, false);
}

void unstash_all(Cell& self) {
  if (HeldMail* held = self.held_mail()) held->unstash();
}

StashState stash_state(const Cell& self) noexcept {
  const HeldMail* held = self.held_mail();
  return {held != nullptr ? held->stash.size() : 0, stash_max_of(self)};
}

void set_behavior(Cell& self, std::shared_ptr<Behavior> behavior) {
  made(self.ext().intake).behavior = std::move(behavior);
}

/// A message no lambda of the behavior takes, and that is to be stashed.
void Cell::stash_unhandled(Envelope* e, const RequestPort& port) {
  const StashState state = stash_state(*this);
  if ((e->flags & is_timer_tick) != 0) {  // a message like others from here on
    tick_done(e);
    e->flags &= static_cast<std::uint8_t>(~is_timer_tick);
  }
  if (state.size >= state.max) {
    if (port.slot != nullptr)
      fail_reply(port, AskErrorKind::receiver_down, "the stash of the actor is full");
    core().dead_letters().add(
        {Ref<>{e->from}, Ref<>{address()}, e->type->text(), DropReason::stashed});
    end_message(e);
    fail(ExitReason::failure("its stash overflowed: it holds " + std::to_string(state.max) +
                             " messages"),
         false);
    return;
  }
  if (port.slot != nullptr) static_cast<RequestEnvelope*>(e)->port = port;
  e->flags |= is_busy;
  held_mail_of(*this).stash.push_back(e);
}

/// Handles a message that comes before the mailbox. False: there is none.
bool Cell::take_held() {
  HeldMail* held = held_mail();
  if (held == nullptr || !held->has_mail()) return false;
  for (Frame* frame = waiting(); frame != nullptr; frame = frame->following) {
    if (frame->turn->envelope == held->front()) return false;  // it was stashed by one that waits
  }
  Envelope* e = held->take();
  e->flags &= static_cast<std::uint8_t>(~is_busy);
  const bool is_no_message =
      same_type(e->type, &message_type<Poison>) || same_type(e->type, &message_type<MailMark>);
  if (is_no_message) {
    handle_notice(e);
  } else {
    handle_message(e, *Worker::current());
  }
  return true;
}

void Cell::accept_urgent(Envelope* e) {
  e->flags |= is_busy;
  auto& urgent = held_mail_of(*this).urgent;
  urgent.insert(mutant("urgent_last_first") ? urgent.begin() : urgent.end(), e);
}

/// What is kept back goes on to the next incarnation, or nowhere.
void Cell::release_held_mail() {
  HeldMail* held = held_mail();
  if (held == nullptr) return;
  const bool goes_on = extension->after != After::terminate;
  if (goes_on && extension->intake->restart_keeps_stash && !mutant("restart_loses_stash"))
    held->unstash();
  const auto bounce_lane = [this](std::deque<Envelope*>& lane) {
    for (Envelope* e : std::exchange(lane, {})) {
      e->flags &= static_cast<std::uint8_t>(~is_busy);
      bounce(e, DropReason::stashed);
    }
  };
  bounce_lane(held->stash);
  if (goes_on) return;
  bounce_lane(held->next);
  bounce_lane(held->urgent);
}

/// Of what came while this actor was held the newest are dropped, so that at most so many are left.
void Cell::drop_newest(std::uint32_t kept_max) {
  // Figures, which a send under way may be ahead of.
  const std::uint32_t came = messages_came(*this) - extension->oversight->came_when_held;
  if (came <= kept_max) return;
  std::vector<Envelope*> mail;
  while (Envelope* e = pop()) {
    e->flags |= is_busy;
    mail.push_back(e);
  }
  const std::size_t came_before = mail.size() - std::min<std::size_t>(came, mail.size());
  HeldMail& held = held_mail_of(*this);
  for (std::size_t i = 0; i < mail.size(); ++i) {
    Envelope* e = mail[i];
    const bool is_of_this_incarnation = (e->flags & is_timer_tick) != 0 ||
                                        same_type(e->type, &message_type<Down>) ||
                                        same_type(e->type, &message_type<Terminated>);
    const bool outlives_it = !is_of_this_incarnation || mutant("notices_outlive_their_incarnation");
    const bool is_kept =
        i < came_before + kept_max || (e->flags & (is_notice | is_timer_tick)) != 0;
    if (outlives_it && is_kept) {
      held.next.push_back(e);
      continue;
    }
    e->flags &= static_cast<std::uint8_t>(~is_busy);
    bounce(e, outlives_it ? DropReason::held_too_many : DropReason::ended);
  }
}

// ---- receive timeout

void set_receive_timeout(Cell& self, std::optional<Duration> timeout) {
  Intake& e = made(self.ext().intake);
  if (timeout && *timeout <= Duration::zero())
    throw UsageError("a receive timeout is longer than zero");
  if (timeout && self.own_type().find(&message_type<ReceiveTimeout>) == nullptr)
    throw UsageError("set_receive_timeout needs a handler: void receive(const ReceiveTimeout&)");
  if (e.receive_timer != nullptr) release_timer(std::exchange(e.receive_timer, nullptr));
  e.receive_timeout = timeout.value_or(Duration::zero());
  if (!timeout) return;
  e.last_influence = self.core().now();
  e.receive_timer = new TimerRecord;
  e.receive_timer->purpose = TimerPurpose::receive_timeout;
  arm_cell_timer(self, *e.receive_timer, deadline_after(e.last_influence, *timeout));
}

/// The timer is not moved by each message: it looks, when it is due, how long it has been quiet.
void Cell::receive_timer_due() {
  Intake& e = *extension->intake;
  const TimePoint now = core().now();
  if (waiting() != nullptr) e.last_influence = now;  // a handler is under way
  if (now >= deadline_after(e.last_influence, e.receive_timeout)) {
    e.last_influence = now;
    append_notice(make_notice(ReceiveTimeout{}));
  }
  arm_cell_timer(*this, *e.receive_timer, deadline_after(e.last_influence, e.receive_timeout));
}

}  // namespace troupe::detail
