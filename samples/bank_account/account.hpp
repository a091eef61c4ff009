// The article's bank account: event-sourced, and right to the cent.
#pragma once

#include <string>

#include <troupe/persistence/persistence.hpp>

#include "account.capnp.hpp"

namespace bank_account {

struct AccountState {
  using Events = troupe::Events<AccountCreated, MoneyDeposited, MoneyWithdrawn, AccountClosed>;
  void apply(const AccountCreated& e) noexcept;
  void apply(const MoneyDeposited& e) noexcept;
  void apply(const MoneyWithdrawn& e) noexcept;
  void apply(const AccountClosed& e) noexcept;

  bool is_created = false;
  bool is_closed = false;
  std::int64_t cents = 0;
};

/// Its events are in the stream "bank-account/<number>".
class Account
    : public troupe::EventSourced<AccountState, Open, Deposit, Withdraw, Close, GetBalance> {
 public:
  explicit Account(std::string number);

  troupe::Persisted<Balance> receive(const Open& m);
  troupe::Persisted<Balance> receive(const Deposit& m);
  troupe::Persisted<Balance> receive(const Withdraw& m);
  troupe::Persisted<Balance> receive(const Close& m);
  Balance receive(const GetBalance&) const;

 private:
  void require_open() const;
  [[nodiscard]] Balance balance() const;
};

[[nodiscard]] troupe::persistence::StreamId stream_of(const std::string& number);

}  // namespace bank_account
