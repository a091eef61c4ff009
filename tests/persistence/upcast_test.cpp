// Schema evolution: events of earlier releases become what the state applies today.
#include <catch2/catch.hpp>
#include <troupe/persistence/persistence.hpp>
#include <troupe/persistence_testkit/scenario.hpp>

#include "persistence/bank.capnp.hpp"
#include "support/schedules.hpp"

using bank::Audited;
using bank::Balance;
using bank::Deposit;
using bank::GetBalance;
using bank::Noted;
using bank::Paid;
using bank::PaidInDollars;
using bank::PaidInFloats;
using bank::PaidTwice;
using troupe::persistence::EventData;
using troupe::persistence::Expected;
using troupe::persistence::Journal;
using troupe::persistence::MemoryStore;
using troupe::persistence::StreamId;
using troupe::testkit::Scenario;
using troupe::testkit::TestSystem;

namespace {

struct PaidState {
  using Events = troupe::Events<Paid>;
  using OldEvents = troupe::OldEvents<PaidInFloats, PaidInDollars, PaidTwice, Noted>;

  void apply(const Paid& e) {
    cents += e.amount;
    ++payments;
  }
  static PaidInDollars upcast(const PaidInFloats& e) {
    return {static_cast<std::int64_t>(e.dollars)};
  }
  static Paid upcast(const PaidInDollars& e) { return {e.dollars * 100}; }
  static std::vector<Events::Any> upcast(const PaidTwice& e) {
    return {Paid{e.first}, Paid{e.second}};
  }
  static std::vector<Events::Any> upcast(const Noted&) { return {}; }
  static Paid upcast(const Paid& e, std::uint32_t version) {
    if (version != 1) throw std::logic_error("there is no such version");
    return {e.amount * 100};
  }
  static std::vector<std::string> tags(const Paid& e) {
    if (e.amount >= 1000'00) return {"large"};
    return {};
  }

  std::int64_t cents = 0;
  int payments = 0;
};

const StreamId stream{"paid", "1"};

class Payments : public troupe::EventSourced<PaidState, GetBalance, Deposit> {
 public:
  Payments() : EventSourced{{"paid", "1"}} {}
  Balance receive(const GetBalance&) const { return {state().cents}; }
  troupe::Persisted<Balance> receive(const Deposit& m) {
    return persist_then(Paid{m.cents}, [this] { return Balance{state().cents}; });
  }
};

/// As it lies in journals: the type's id, its version, and the bytes of its encoding.
EventData golden(std::uint64_t type, std::uint32_t version, std::string name,
                 std::vector<std::uint64_t> words) {
  return {troupe::SchemaId{type}, version, std::move(name), std::move(words), {}};
}
// Written by the release that stored them; never to be changed.
const EventData paid_1 = golden(0xb61e09d4f7c82a35, 1, "bank::Paid", {0x200000000, 0x100000000, 7});
const EventData dollars =
    golden(0xd3f85a1c60b79e24, 1, "bank::PaidInDollars", {0x200000000, 0x100000000, 3});
const EventData floats = golden(0x85c0e7a2f319d46b, 1, "bank::PaidInFloats",
                                {0x200000000, 0x100000000, 0x4014000000000000});
const EventData twice =
    golden(0xea94c3b7105f628d, 1, "bank::PaidTwice", {0x300000000, 0x200000000, 40, 2});

/// What a stream of these events adds up to, as an actor reads it.
Balance balance_of(std::vector<EventData> events) {
  TestSystem system{1};
  const Journal journal = Journal::open(system, std::make_shared<MemoryStore>());
  auto append = journal.append({stream, Expected::any(), std::move(events)});
  append.await();
  return system.spawn<Payments>().ask(GetBalance{}).await();
}

}  // namespace

TEST_CASE("S127 C254 events of earlier releases are read as what they mean today",
          "[persistence]") {
  REQUIRE(balance_of({paid_1}) == Balance{700});
  REQUIRE(balance_of({dollars}) == Balance{300});
  REQUIRE(balance_of({floats}) == Balance{500});  // by two steps
  REQUIRE(balance_of({twice}) == Balance{42});
  REQUIRE(balance_of({troupe::persistence::detail::encode(Noted{"nothing"})}) == Balance{0});
  REQUIRE(balance_of({paid_1, dollars, floats, twice}) == Balance{1542});
}

TEST_CASE("S127 C254 an event that has no way to today ends the recovery, and says which",
          "[persistence]") {
  const auto why = [](EventData event) {
    const auto recorder = std::make_shared<troupe::test::Recorder>();
    TestSystem system{1, troupe::testkit::Schedule::seeded, troupe::test::observed_by(recorder)};
    const Journal journal = Journal::open(system, std::make_shared<MemoryStore>());
    auto append = journal.append({stream, Expected::any(), {std::move(event)}});
    append.await();
    REQUIRE_FALSE(system.spawn<Payments>().ask(GetBalance{}).try_await().has_value());
    return recorder->all("failed").front().text;
  };
  REQUIRE_THAT(why(troupe::persistence::detail::encode(Audited{"x"})),
               Catch::Contains("lists no event or old event of the type bank::Audited"));
  EventData later = troupe::persistence::detail::encode(Paid{1});
  REQUIRE(later.type_version == 2);
  later.type_version = 3;
  REQUIRE_THAT(why(later),
               Catch::Contains("version 3 of bank::Paid was written by a later release"));
  EventData older = dollars;
  older.type_version = 2;
  REQUIRE_THAT(why(older), Catch::Contains("later release"));
}

TEST_CASE("time travel and words see old events as what they are today", "[persistence]") {
  using troupe::persistence::in_words;
  TestSystem system{1};
  const Journal journal = Journal::open(system, std::make_shared<MemoryStore>());
  auto append = journal.append({stream, Expected::any(), {paid_1, twice}});
  append.await();
  const auto at = troupe::persistence::state_at<PaidState>(journal, stream);
  REQUIRE(at.state.cents == 742);
  REQUIRE(at.state.payments == 3);
  REQUIRE(at.version == 2);
  REQUIRE(in_words<PaidState>(paid_1) == to_string(Paid{700}));
  REQUIRE(in_words<PaidState>(twice) == to_string(Paid{40}) + ", " + to_string(Paid{2}));
  REQUIRE(in_words<PaidState>(troupe::persistence::detail::encode(Noted{"x"})) ==
          "bank::Noted (dropped)");
  REQUIRE(in_words<PaidState>(troupe::persistence::detail::encode(Audited{"x"})) ==
          "bank::Audited (unknown)");
}

TEST_CASE("a state tags its events, and a scenario begins with old ones", "[persistence]") {
  Scenario<Payments>{}
      .given(PaidInDollars{3})
      .when(Deposit{1000'00, ""})
      .stores(Paid{1000'00})
      .replies(Balance{1003'00});
  TestSystem system{1};
  const Journal journal = Journal::open(system, std::make_shared<MemoryStore>());
  auto payments = system.spawn<Payments>();
  static_cast<void>(payments.ask(Deposit{5, ""}).await());
  static_cast<void>(payments.ask(Deposit{1000'00, ""}).await());
  const auto events = journal.read(stream, 0, 10).await();
  REQUIRE(events[0].event.tags.empty());
  REQUIRE(events[1].event.tags == std::vector<std::string>{"large"});
}

namespace {
struct Lenient {
  using Events = troupe::Events<Paid>;
  void apply(const Paid& e) { cents += e.amount; }
  void apply_unknown(const EventData& e) { unknown.push_back(e.type_name); }
  std::int64_t cents = 0;
  std::vector<std::string> unknown;
};
}  // namespace

TEST_CASE("a state that says so is given what it does not know", "[persistence]") {
  TestSystem system{1};
  const Journal journal = Journal::open(system, std::make_shared<MemoryStore>());
  auto append = journal.append({stream, Expected::any(), {dollars}});
  append.await();
  const auto at = troupe::persistence::state_at<Lenient>(journal, stream);
  REQUIRE(at.state.unknown == std::vector<std::string>{"bank::PaidInDollars"});
}
