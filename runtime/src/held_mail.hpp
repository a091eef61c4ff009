// Messages an actor has taken from its mailbox, or got beside it, and not handled yet.
#pragma once

#include <algorithm>
#include <deque>

#include <troupe/runtime/detail/mutant.hpp>

#include <troupe/runtime/detail/envelope.hpp>

namespace troupe::detail {

/// Handled in this order, before the mailbox: urgent, next. Envelopes in here are marked is_busy,
/// so that the mailbox, whose dummy one of them may be, doesn't free them.
struct HeldMail {
  std::deque<Envelope*> urgent;  ///< sent by tell_urgent (S22)
  std::deque<Envelope*> next;    ///< unstashed (S27)
  std::deque<Envelope*> stash;   ///< until unstash_all

  [[nodiscard]] bool has_mail() const noexcept { return !urgent.empty() || !next.empty(); }
  [[nodiscard]] Envelope* front() const noexcept {
    return urgent.empty() ? next.front() : urgent.front();
  }
  Envelope* take() noexcept {
    std::deque<Envelope*>& from = urgent.empty() ? next : urgent;
    Envelope* e = from.front();
    from.pop_front();
    return e;
  }
  void unstash() {
    if (mutant("stash_comes_back_reversed")) std::reverse(stash.begin(), stash.end());
    next.insert(next.begin(), stash.begin(), stash.end());
    stash.clear();
  }
};

}  // namespace troupe::detail
