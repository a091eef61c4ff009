// A journal that is read through from end to end.
#include <troupe/persistence/verify.hpp>

#include <catch2/catch.hpp>

#include "persistence/account.hpp"
#include "persistence/faulty_store.hpp"
#include "support/schedules.hpp"

using bank::Account;
using bank::Balance;
using bank::Deposit;
using troupe::persistence::Journal;
using troupe::persistence::MemoryStore;
using troupe::persistence::StoredEvent;
using troupe::persistence::Verified;
using troupe::persistence::verify;
using troupe::test::FaultyStore;
using troupe::testkit::TestSystem;

namespace {

void pay_in(TestSystem& system) {
  for (int a = 0; a < 10; ++a) {
    const auto account = system.spawn<Account>(std::to_string(a));
    for (int i = 1; i <= 5; ++i) REQUIRE(account.ask(Deposit{1, "a"}).await() == Balance{i});
  }
}
/// What is found where the store gives other events than those it has.
std::vector<std::string> found(const std::function<void(std::vector<StoredEvent>&)>& change) {
  const auto store = std::make_shared<FaultyStore>();
  TestSystem system{1};
  const Journal journal = Journal::open(system, store);
  pay_in(system);
  store->after_slice_read = change;
  return verify(journal).findings;
}

}  // namespace

TEST_CASE("S125 a journal that is as it should be has no findings", "[persistence]") {
  for (const std::uint32_t slices : {1u, 8u}) {
    TestSystem system{1};
    const auto store = std::make_shared<MemoryStore>(slices);
    const Journal journal = Journal::open(system, store);
    pay_in(system);
    store->delete_events({"bank-account", "3"}, 2);
    const Verified verified = verify(journal);
    REQUIRE(verified.findings.empty());
    REQUIRE(verified.events == 50);
    REQUIRE(verified.deleted == 2);
    REQUIRE(verified.streams == 10);
  }
}

TEST_CASE("S125 events of two writers are found, and gaps, and named", "[persistence]") {
  const auto require_one = [](const std::vector<std::string>& findings, const std::string& text) {
    REQUIRE(findings.size() == 1);
    REQUIRE_THAT(findings.front(), Catch::Contains(text));
  };
  require_one(found([](auto& events) {
                for (StoredEvent& e : events)
                  if (e.position == 25) e.version = 4;  // the fifth of its stream
              }),
              "position 25 is version 4 of bank-account/4, after version 4");
  const auto gap = found(
      [](auto& events) { std::erase_if(events, [](const auto& e) { return e.position == 7; }); });
  REQUIRE(gap.size() == 2);
  REQUIRE_THAT(gap[0], Catch::Contains("position 8 comes after 6"));
  REQUIRE_THAT(gap[1], Catch::Contains("is version 3 of bank-account/1, after version 1"));
  require_one(found([](auto& events) {
                for (StoredEvent& e : events)
                  if (e.position == 50)
                    throw troupe::persistence::StoreCorrupt("event 50 is damaged");
              }),
              "behind position 0: event 50 is damaged");
}

TEST_CASE("S125 a head that is behind the events is found", "[persistence]") {
  const auto findings = found([](auto& events) {
    if (events.empty() || events.back().position != 50) return;
    StoredEvent more = events.back();
    more.position = 51;
    more.version = 6;
    events.push_back(more);
  });
  REQUIRE(findings.size() == 1);
  REQUIRE_THAT(findings[0], Catch::Contains("bank-account/9 has version 6, and its head is 5"));
}
