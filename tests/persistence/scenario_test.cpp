// Scenario: the story of one event-sourced actor.
#include <troupe/persistence_testkit/scenario.hpp>

#include <catch2/catch.hpp>

#include "persistence/account.hpp"

using bank::Account;
using bank::Balance;
using bank::Deposit;
using bank::Deposited;
using bank::GetBalance;
using bank::Withdraw;
using bank::Withdrawn;
using troupe::testkit::ExpectationFailed;
using troupe::testkit::Scenario;

TEST_CASE("a scenario tells what a command stores and replies", "[persistence]") {
  Scenario<Account>{"acc-1"}
      .given(Deposited{100, "salary"})
      .when(Withdraw{30, "rent"})
      .stores(Withdrawn{30, "rent"})
      .replies(Balance{70})
      .when(Deposit{5, "interest"})
      .stores(Deposited{5, "interest"})
      .replies(Balance{75})
      .when(GetBalance{})
      .stores_nothing()
      .replies(Balance{75});
}

TEST_CASE("a scenario tells what is refused", "[persistence]") {
  Scenario<Account>{"acc-1"}.when(Withdraw{30, "rent"}).refuses("insufficient funds");
  Scenario<Account>{"acc-1"}
      .given(Deposited{10, "a"}, Deposited{20, "b"}, Withdrawn{5, "c"})
      .when(Withdraw{26, "rent"})
      .refuses("insufficient")
      .when(Withdraw{25, "rent"})
      .replies(Balance{0});
}

TEST_CASE("a scenario fails where it is told otherwise", "[persistence]") {
  Scenario<Account> one{"acc-1"};
  REQUIRE_THROWS_WITH(one.when(Deposit{5, "x"}).stores(Withdrawn{5, "x"}),
                      "it stored bank::Deposited, and not bank::Withdrawn");
  REQUIRE_THROWS_WITH(one.when(Deposit{5, "x"}).stores(Deposited{6, "x"}),
                      "it stored bank::Deposited with other values");
  REQUIRE_THROWS_WITH(one.when(Deposit{5, "x"}).stores_nothing(),
                      "it stored bank::Deposited, and not nothing");
  REQUIRE_THROWS_WITH(one.when(Deposit{5, "x"}).replies(Balance{7}), "the reply is another one");
  REQUIRE_THROWS_WITH(one.when(Deposit{5, "x"}).refuses("no"),
                      "it was not refused, but there was a reply");
  REQUIRE_THROWS_AS(one.when(bank::Fail{}).refuses("no"), ExpectationFailed);
}
