// Two releases of one schema, each reading what the other wrote.
#include <catch2/catch.hpp>
#include <troupe/codec/codec.hpp>

#include "codec/new.capnp.hpp"
#include "codec/old.capnp.hpp"

using troupe::codec::CodecError;
using troupe::codec::decode;
using troupe::codec::encode;

TEST_CASE("a new reader sees an old writer's fields, and defaults for the others", "[codec]") {
  before::Account old{.id = "7", .cents = 45'000, .owners = {"Ann", "Bob"}};
  old.kind.which = before::Account::Kind::Savings{0.5};
  const auto account = decode<after::Account>(encode(old));
  REQUIRE(account.id == "7");
  REQUIRE(account.cents == 45'000);
  REQUIRE(account.owners == std::vector<after::Account::Owner>{{"Ann", 100}, {"Bob", 100}});
  REQUIRE(std::get<after::Account::Kind::Savings>(account.kind.which).value == 0.5);
  REQUIRE(account.limit == 500);
  REQUIRE(account.note == "none");
}

TEST_CASE("an old reader sees a new writer's fields that it knows", "[codec]") {
  after::Account latest{.id = "7", .cents = 45'000, .owners = {{"Ann", 30}, {"Bob", 70}}};
  latest.limit = 1;
  latest.note = "";
  const auto account = decode<before::Account>(encode(latest));
  REQUIRE(account.id == "7");
  REQUIRE(account.cents == 45'000);
  REQUIRE(account.owners == std::vector<std::string>{"Ann", "Bob"});
}

TEST_CASE("an old reader refuses an alternative that it can't hold", "[codec]") {
  after::Account frozen;
  frozen.kind.which = after::Account::Kind::Frozen{"court order"};
  REQUIRE_THROWS_WITH(decode<before::Account>(encode(frozen)),
                      Catch::Contains("Account has no alternative 2"));
}

TEST_CASE("both releases have one type id", "[codec]") {
  STATIC_REQUIRE(before::Account::troupe_schema == after::Account::troupe_schema);
}
