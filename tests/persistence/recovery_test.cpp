// How an event-sourced actor becomes what it was.
#include <troupe/persistence/event_sourced.hpp>

#include <atomic>

#include <catch2/catch.hpp>
#include <troupe/supervision/supervision.hpp>

#include "persistence/account.hpp"
#include "persistence/faulty_store.hpp"
#include "support/schedules.hpp"

using namespace std::chrono_literals;
using bank::Account;
using bank::Audited;
using bank::Balance;
using bank::Deposit;
using bank::Deposited;
using bank::GetBalance;
using bank::Tell;
using troupe::persistence::Expected;
using troupe::persistence::Journal;
using troupe::persistence::JournalOptions;
using troupe::persistence::StoredEvent;
using troupe::persistence::StreamId;
using troupe::persistence::detail::encode;
using troupe::test::FaultyStore;
using troupe::test::on_every_schedule;
using troupe::testkit::TestSystem;
using Notes = Account::Notes;

namespace {

const StreamId stream{"bank-account", "acc-1"};

struct Opened {
  std::shared_ptr<FaultyStore> store = std::make_shared<FaultyStore>();
  Journal journal;
  explicit Opened(TestSystem& system, JournalOptions options = {})
      : journal(Journal::open(system, store, std::move(options))) {}
  void deposit(std::uint64_t times) const {
    std::vector<troupe::persistence::EventData> events;
    for (std::uint64_t i = 0; i < times; ++i) events.push_back(encode(Deposited{1, "before"}));
    auto ask = journal.append({stream, Expected::any(), std::move(events)});
    ask.await();
  }
};

/// Why the actor at the head of the log ended.
std::string reason_of(const std::shared_ptr<troupe::test::Recorder>& recorder) {
  const auto failed = recorder->all("failed");
  return failed.empty() ? "" : failed.front().text;
}

}  // namespace

TEST_CASE("S119 C252 what comes before the events are read is handled behind them, in order",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const Opened opened(system);
    opened.deposit(3);
    const auto notes = std::make_shared<Notes>();
    const auto account = system.spawn<Account>("acc-1", notes);
    account.tell(Tell{"one"});
    auto deposit = account.ask(Deposit{1, "x"});
    account.tell(Tell{"two"});
    REQUIRE(deposit.await() == Balance{4});
    system.settle();
    REQUIRE(*notes == Notes{"recovered at 3", "one", "deposited, now 4", "two"});
  });
}

TEST_CASE("S120 C249 events are read in batches", "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    JournalOptions options;
    options.replay_events = 10;
    const Opened opened(system, options);
    opened.deposit(95);
    const auto account = system.spawn<Account>("acc-1");
    REQUIRE(account.ask(GetBalance{}).await() == Balance{95});
    REQUIRE(opened.store->largest_read == 10);
    REQUIRE(opened.store->reads == 10);
  });
}

TEST_CASE("C246 an event that can't be applied again ends the recovery, and says which",
          "[persistence]") {
  const auto recorder = std::make_shared<troupe::test::Recorder>();
  TestSystem system{1, troupe::testkit::Schedule::seeded, troupe::test::observed_by(recorder)};
  const Opened opened(system);
  opened.deposit(1);
  auto ask = opened.journal.append({stream, Expected::any(), {encode(Deposited{1, "nobody"})}});
  ask.await();
  const auto account = system.spawn<Account>("acc-1");
  REQUIRE_FALSE(account.ask(GetBalance{}).try_await().has_value());
  REQUIRE_THAT(
      reason_of(recorder),
      Catch::Contains("version 2 of bank-account/acc-1 (bank::Deposited) can't be applied: "
                      "no money comes from nobody"));
}

TEST_CASE("an event of a type that the state does not list ends the recovery by default",
          "[persistence]") {
  const auto recorder = std::make_shared<troupe::test::Recorder>();
  TestSystem system{1, troupe::testkit::Schedule::seeded, troupe::test::observed_by(recorder)};
  const Opened opened(system);
  auto ask = opened.journal.append({stream, Expected::any(), {encode(Audited{"somebody"})}});
  ask.await();
  system.spawn<Account>("acc-1");
  system.settle();
  REQUIRE_THAT(reason_of(recorder), Catch::Contains("bank::Audited"));
}

TEST_CASE("S120 a store that can't read, loses events or mixes them up ends the recovery",
          "[persistence]") {
  const std::vector<std::pair<FaultyStore::Read, std::string>> faults{
      {[](std::vector<StoredEvent>&) { throw std::runtime_error("sector 7"); }, "sector 7"},
      {[](std::vector<StoredEvent>& events) { events.clear(); }, "there should be 3"},
      {[](std::vector<StoredEvent>& events) { events.erase(events.begin()); },
       "version 2 of bank-account/acc-1 comes after version 0"},
  };
  for (const auto& [fault, text] : faults) {
    const auto recorder = std::make_shared<troupe::test::Recorder>();
    TestSystem system{1, troupe::testkit::Schedule::seeded, troupe::test::observed_by(recorder)};
    const Opened opened(system);
    opened.deposit(3);
    opened.store->after_read = fault;
    const auto account = system.spawn<Account>("acc-1");
    REQUIRE_FALSE(account.ask(GetBalance{}).try_await().has_value());
    REQUIRE_THAT(reason_of(recorder), Catch::Contains(text));
    opened.store->after_read = nullptr;
    REQUIRE(system.spawn<Account>("acc-1").ask(GetBalance{}).await() == Balance{3});
  }
}

namespace {

/// Counts its incarnations; now and then one fails when it has recovered.
class Counted : public troupe::EventSourced<bank::AccountState, GetBalance> {
 public:
  Counted(std::string number, std::shared_ptr<std::atomic<int>> recovered, bool fails)
      : EventSourced{{"bank-account", std::move(number)}},
        recovered_(std::move(recovered)),
        fails_(fails) {}
  void on_recovered() override {
    ++*recovered_;
    if (fails_) throw std::runtime_error("not so");
  }
  Balance receive(const GetBalance&) const { return {state().cents}; }

 private:
  const std::shared_ptr<std::atomic<int>> recovered_;
  const bool fails_;
};

}  // namespace

namespace {

/// Recovers for ever.
struct Begin {};
class Endless : public troupe::Actor<Begin> {
 public:
  explicit Endless(const Journal& journal) : permits_(journal.permits()) {}
  void receive(const Begin&) {
    permits_.ask(troupe::persistence::detail::MayRecover{}, troupe::no_timeout).await();
  }

 private:
  const troupe::Ref<troupe::persistence::detail::MayRecover,
                    troupe::persistence::detail::RecoveryOver>
      permits_;
};

}  // namespace

TEST_CASE("S120 C250 while so many recover another one waits, and mail for it", "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    JournalOptions options;
    options.recoveries_max = 2;
    const Opened opened(system, options);
    const auto one = system.spawn<Endless>(opened.journal);
    const auto two = system.spawn<Endless>(opened.journal);
    one.tell(Begin{});
    two.tell(Begin{});
    system.settle();
    const auto notes = std::make_shared<Notes>();
    const auto account = system.spawn<Account>("acc-1", notes);
    account.tell(Tell{"first"});
    system.settle();
    REQUIRE(notes->empty());
    system.kill(two);
    system.settle();
    REQUIRE(*notes == Notes{"recovered at 0", "first"});
  });
}

namespace {

/// Gives its account so long to start, and makes it anew after that.
class Impatient : public troupe::Supervisor<> {
 public:
  Impatient() : Supervisor{{.restarts_max = 1000, .within = 1h}} {}
  void on_start() override {
    start_child<Account>({.id = "account", .start_timeout = 10s}, "acc-1");
  }
};

}  // namespace

TEST_CASE("S120 C250 who is restarted while it waits for its turn has one place, not two",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    JournalOptions options;
    options.recoveries_max = 1;
    const Opened opened(system, options);
    system.spawn<Impatient>({.name = "impatient"});
    system.settle();
    const auto account = *system.find<Account>("/impatient/account");
    const auto holder = system.spawn<Endless>(opened.journal);
    holder.tell(Begin{});
    system.settle();
    REQUIRE_FALSE(account.ask(bank::Fail{}).try_await().has_value());
    system.advance(1min);  // its start is given up, again and again
    system.kill(holder);
    REQUIRE(account.ask(GetBalance{}).await() == Balance{0});
    for (const char* number : {"acc-3", "acc-4", "acc-5"})
      REQUIRE(system.spawn<Account>(number).ask(GetBalance{}).await() == Balance{0});
  });
}

TEST_CASE("S120 C250 so many recover at the same time - whoever ends gives its place to the next",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    JournalOptions options;
    options.recoveries_max = 2;
    const Opened opened(system, options);
    opened.deposit(1);
    const auto recovered = std::make_shared<std::atomic<int>>(0);
    std::vector<troupe::Ref<Counted>> all;
    for (int i = 0; i < 20; ++i)
      all.push_back(system.spawn<Counted>("acc-1", recovered, i % 3 == 0));
    for (int i = 0; i < 20; i += 5) system.kill(all[static_cast<std::size_t>(i)]);
    for (int i = 0; i < 20; ++i) {
      const auto answer = all[static_cast<std::size_t>(i)].ask(GetBalance{}).try_await();
      if (i % 3 != 0 && i % 5 != 0) REQUIRE(*answer == Balance{1});
    }
    REQUIRE(system.spawn<Counted>("acc-2", recovered, false).ask(GetBalance{}).await() ==
            Balance{0});
  });
}
