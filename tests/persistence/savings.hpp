// An account whose state is kept as snapshots.
#pragma once

#include <string>
#include <utility>

#include <troupe/persistence/persistence.hpp>

#include "persistence/bank.capnp.hpp"

namespace bank {

/// Its fields are the snapshot's.
template <std::uint32_t FoldVersion>
struct SavingsState : AccountSnapshot {
  using Snapshot = AccountSnapshot;
  static constexpr std::uint32_t fold_version = FoldVersion;
  using Events = troupe::Events<Deposited>;
  void apply(const Deposited& e) noexcept {
    cents += e.cents;
    ++deposits;
  }
};

struct DepositTwice {
  std::int64_t cents;
  using Reply = std::int64_t;
};

template <std::uint32_t FoldVersion>
class SavingsOf
    : public troupe::EventSourced<SavingsState<FoldVersion>, GetBalance, Deposit, DepositTwice> {
 public:
  explicit SavingsOf(troupe::SnapshotPolicy policy, std::string number = "1")
      : SavingsOf::EventSourced({"savings", std::move(number)}, policy) {}
  Balance receive(const GetBalance&) const { return {this->state().cents}; }
  troupe::Persisted<Balance> receive(const Deposit& m) {
    return this->persist_then(Deposited{m.cents, m.source},
                              [this] { return Balance{this->state().cents}; });
  }
  std::int64_t receive(const DepositTwice& m) {
    this->persist(Deposited{m.cents, "a"}, Deposited{m.cents, "b"});
    return this->state().deposits;
  }
};
using Savings = SavingsOf<1>;

}  // namespace bank
