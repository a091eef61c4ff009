#include "credit.hpp"

#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

#include "frame.hpp"

namespace troupe::remoting::detail {

using troupe::detail::mutant;

namespace {
constexpr auto relaxed = std::memory_order_relaxed;  // each is a figure of its own

/// By the only thread that changes it.
void add(std::atomic<std::size_t>& figure, std::size_t bytes) noexcept {
  figure.store(figure.load(relaxed) + bytes, relaxed);
}
}  // namespace

CreditLeft::OfPair& CreditLeft::of(const Pair& pair) {
  if (last_.second == nullptr || !(last_.first == pair)) last_ = {pair, &pairs_[pair]};
  return *last_.second;
}

CreditLeft::OfPair* CreditLeft::room_for(const Pair& pair, std::size_t bytes,
                                         std::size_t messages_max, std::size_t bytes_max,
                                         bool ahead) {
  OfPair& p = of(pair);
  const bool has_share = p.waiting_messages < messages_max / share_without_credit &&
                         p.waiting + bytes <= bytes_max / share_without_credit;
  const std::size_t used = p.settled + (ahead ? p.waiting : 0);
  const bool has_no_credit = used >= pair_credit_bytes;
  if (has_no_credit && p.waiting_messages > 0 && !has_share &&
      !mutant("stuck_actor_takes_all_room"))
    return nullptr;
  return &p;
}

void CreditLeft::waits(OfPair& of, std::size_t bytes) noexcept {
  of.waiting += bytes;
  ++of.waiting_messages;
}

bool CreditLeft::goes(OfPair& of, std::size_t bytes, bool all_the_same) noexcept {
  const bool has_credit = !is_used_up() && of.spent < pair_credit_bytes;
  if (!has_credit && !all_the_same && !mutant("remote_sends_need_no_credit")) return false;
  of.spent += credit_of(bytes);
  add(all_spent_, credit_of(bytes));
  return true;
}

void CreditLeft::gone(const Row& row) noexcept {
  row.of->waiting_messages -= row.messages;
  row.of->waiting -= row.bytes;
  row.of->settled += row.credit;
}

void CreditLeft::give_back(const Pair& pair, std::size_t bytes) {
  const auto found = pairs_.find(pair);
  if (found == pairs_.end() || found->second.settled < bytes)
    throw ProtocolError("a credit for more than was sent");
  OfPair& p = found->second;
  p.spent -= bytes;
  p.settled -= bytes;
  add(all_spent_, 0 - bytes);
  if (p.spent > 0 || p.waiting_messages > 0) return;
  if (last_.second == &p) last_ = {};
  pairs_.erase(found);
}

void CreditLeft::clear() noexcept {
  last_ = {};
  pairs_.clear();
  all_spent_.store(0, relaxed);
}

std::size_t& CreditOwed::of(const Pair& pair) {
  if (last_.second == nullptr || !(last_.first == pair)) last_ = {pair, &owed_[pair]};
  return *last_.second;
}

void CreditOwed::came(const Pair& pair, std::size_t bytes, const GiveBack& give_back) {
  std::size_t& owed = of(pair);
  owed += credit_of(bytes);
  all_owed_ += credit_of(bytes);
  if (all_owed_ >= peer_owed_bytes_max) {
    all_owed_ = 0;
    last_ = {};
    for (const auto& [other, owed_bytes] : std::exchange(owed_, {})) give_back(other, owed_bytes);
  } else if (owed >= pair_owed_bytes_max) {
    const std::size_t all = owed;
    all_owed_ -= all;
    last_ = {};
    owed_.erase(pair);
    give_back(pair, all);
  }
}

}  // namespace troupe::remoting::detail
