// The bank account of these tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <troupe/persistence/persistence.hpp>

#include "persistence/bank.capnp.hpp"

namespace bank {

struct AccountState {
  using Events = troupe::Events<Deposited, Withdrawn>;
  void apply(const Deposited& e) {
    if (e.source == "nobody") throw std::runtime_error("no money comes from nobody");
    cents += e.cents;
  }
  void apply(const Withdrawn& e) { cents -= e.cents; }
  std::int64_t cents = 0;
};

/// Commands that only tests give.
struct DepositMany {
  std::vector<std::int64_t> cents;
  using Reply = std::int64_t;
};
struct Fail {
  using Reply = void;
};
struct Tell {
  std::string text;
};

class Account : public troupe::EventSourced<AccountState, GetBalance, Deposit, Withdraw,
                                            DepositMany, Fail, Tell> {
 public:
  using Notes = std::vector<std::string>;
  explicit Account(std::string number, std::shared_ptr<Notes> notes = nullptr)
      : EventSourced{{"bank-account", std::move(number)}}, notes_(std::move(notes)) {}

  void on_recovered() override { note("recovered at " + std::to_string(version())); }

  Balance receive(const GetBalance&) const { return {state().cents}; }
  Balance receive(const Deposit& m) {
    persist(Deposited{m.cents, m.source});
    note("deposited, now " + std::to_string(state().cents));
    return {state().cents};
  }
  troupe::Persisted<Balance> receive(const Withdraw& m) {
    troupe::require(m.cents <= state().cents, "insufficient funds");
    return persist_then(Withdrawn{m.cents, m.destination}, [this] {
      note("withdrawn, now " + std::to_string(state().cents));
      return Balance{state().cents};
    });
  }
  troupe::Persisted<std::int64_t> receive(const DepositMany& m) {
    std::vector<AnyEvent> events;
    for (const std::int64_t cents : m.cents)
      events.push_back(cents < 0 ? AnyEvent{Withdrawn{-cents, "many"}}
                                 : AnyEvent{Deposited{cents, "many"}});
    return persist_then(std::move(events), [this] { return state().cents; });
  }
  void receive(const Fail&) { throw std::runtime_error("on demand"); }
  void receive(const Tell& m) { note(m.text); }

 private:
  void note(std::string text) {
    if (notes_ != nullptr) notes_->push_back(std::move(text));
  }
  const std::shared_ptr<Notes> notes_;
};

}  // namespace bank
