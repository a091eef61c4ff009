#include "credit.hpp"

#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

#include "frame.hpp"

namespace troupe::remoting::detail {

using troupe::detail::mutant;

bool CreditLeft::waits(const Pair& pair, std::size_t bytes, std::size_t messages_max,
                       std::size_t bytes_max) {
  OfPair& of = pairs_[pair];
  const bool has_share = of.waiting_messages < messages_max / share_without_credit &&
                         of.waiting + bytes <= bytes_max / share_without_credit;
  if (of.spent >= pair_credit_bytes && of.waiting_messages > 0 && !has_share &&
      !mutant("stuck_actor_takes_all_room"))
    return false;
  of.waiting += bytes;
  ++of.waiting_messages;
  return true;
}

bool CreditLeft::goes(const Pair& pair, std::size_t bytes, bool all_the_same) {
  OfPair& of = pairs_[pair];
  const bool has_credit = !is_used_up() && of.spent < pair_credit_bytes;
  if (!has_credit && !all_the_same && !mutant("remote_sends_need_no_credit")) return false;
  of.waiting -= bytes;
  --of.waiting_messages;
  of.spent += credit_of(bytes);
  all_spent_ += credit_of(bytes);
  return true;
}

void CreditLeft::give_back(const Pair& pair, std::size_t bytes) {
  const auto found = pairs_.find(pair);
  if (found == pairs_.end() || found->second.spent < bytes)
    throw ProtocolError("a credit for more than was sent");
  found->second.spent -= bytes;
  all_spent_ -= bytes;
  if (found->second.spent == 0 && found->second.waiting_messages == 0) pairs_.erase(found);
}

void CreditOwed::came(const Pair& pair, std::size_t bytes, const GiveBack& give_back) {
  const auto owed = owed_.try_emplace(pair, 0).first;
  owed->second += credit_of(bytes);
  all_owed_ += credit_of(bytes);
  if (all_owed_ >= peer_owed_bytes_max) {
    all_owed_ = 0;
    for (const auto& [of, owed_bytes] : std::exchange(owed_, {})) give_back(of, owed_bytes);
  } else if (owed->second >= pair_owed_bytes_max) {
    all_owed_ -= owed->second;
    const std::size_t all = owed->second;
    owed_.erase(owed);
    give_back(pair, all);
  }
}

}  // namespace troupe::remoting::detail
