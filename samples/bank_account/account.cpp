#include "account.hpp"

#include "common/money.hpp"

namespace bank_account {

using troupe::Persisted;
using troupe::require;

namespace {
/// So that no sum of two can overflow.
constexpr std::int64_t balance_max = std::int64_t{1} << 61;
}  // namespace

void AccountState::apply(const AccountCreated& e) noexcept {
  is_created = true;
  cents = e.initial_cents;
}
void AccountState::apply(const MoneyDeposited& e) noexcept {
  cents += e.cents;
}
void AccountState::apply(const MoneyWithdrawn& e) noexcept {
  cents -= e.cents;
}
void AccountState::apply(const AccountClosed&) noexcept {
  is_closed = true;
}

troupe::persistence::StreamId stream_of(const std::string& number) {
  return {"bank-account", number};
}

Account::Account(std::string number) : EventSourced{stream_of(number)} {}

Persisted<Balance> Account::receive(const Open& m) {
  require(!state().is_created, "the account is there already");
  require(m.cents >= 0, "an account does not begin in debt");
  return persist_then(AccountCreated{m.cents}, [this] { return balance(); });
}
Persisted<Balance> Account::receive(const Deposit& m) {
  require_open();
  require(m.cents > 0, "a deposit is more than nothing");
  require(state().cents <= balance_max - m.cents, "no account holds so much");
  return persist_then(MoneyDeposited{m.cents, m.source}, [this] { return balance(); });
}
Persisted<Balance> Account::receive(const Withdraw& m) {
  require_open();
  require(m.cents > 0, "a withdrawal is more than nothing");
  if (m.cents > state().cents)
    troupe::refuse("insufficient funds: the balance is " + samples::format_money(state().cents));
  return persist_then(MoneyWithdrawn{m.cents, m.destination}, [this] { return balance(); });
}
Persisted<Balance> Account::receive(const Close& m) {
  require_open();
  require(state().cents == 0, "only an empty account is closed: withdraw the rest first");
  return persist_then(AccountClosed{m.reason}, [this] { return balance(); });
}
Balance Account::receive(const GetBalance&) const {
  require(state().is_created, "there is no such account");
  return balance();
}

void Account::require_open() const {
  require(state().is_created, "there is no such account: open it first");
  require(!state().is_closed, "the account is closed");
}
Balance Account::balance() const {
  return {state().cents, version()};
}

}  // namespace bank_account
