// Event-sourced actors: what they store, when, and what comes of it.
#include <troupe/persistence/event_sourced.hpp>

#include <catch2/catch.hpp>
#include <troupe/supervision/supervision.hpp>

#include "persistence/account.hpp"
#include "persistence/faulty_store.hpp"
#include "support/schedules.hpp"

using namespace std::chrono_literals;
using bank::Account;
using bank::Balance;
using bank::Deposit;
using bank::DepositMany;
using bank::Fail;
using bank::GetBalance;
using bank::Tell;
using bank::Withdraw;
using troupe::AskErrorKind;
using troupe::Decider;
using troupe::Decision;
using troupe::Ref;
using troupe::persistence::Batch;
using troupe::persistence::BatchNotWritten;
using troupe::persistence::BatchOutcome;
using troupe::persistence::BatchUnknown;
using troupe::persistence::Expected;
using troupe::persistence::Journal;
using troupe::persistence::MemoryStore;
using troupe::persistence::StreamId;
using troupe::test::FaultyStore;
using troupe::test::on_every_schedule;
using troupe::testkit::TestSystem;
using Notes = Account::Notes;

namespace {

const StreamId stream{"bank-account", "acc-1"};

std::shared_ptr<FaultyStore> open_faulty(TestSystem& system) {
  auto store = std::make_shared<FaultyStore>();
  Journal::open(system, store);
  return store;
}
std::shared_ptr<Notes> new_notes() {
  return std::make_shared<Notes>();
}

class Bank : public troupe::Supervisor<> {
 public:
  Bank(const Decider& decider, std::shared_ptr<Notes> notes)
      : Supervisor{{.decider = decider}}, notes_(std::move(notes)) {}
  void on_start() override { start_child<Account>({.id = "account"}, "acc-1", notes_); }

 private:
  const std::shared_ptr<Notes> notes_;
};
/// Account acc-1 below a supervisor.
Ref<Account> supervised(TestSystem& system, const Decider& decider,
                        std::shared_ptr<Notes> notes = nullptr) {
  system.spawn<Bank>({.name = "bank"}, decider, std::move(notes));
  system.settle();
  return *system.find<Account>("/bank/account");
}

}  // namespace

TEST_CASE("S116 S119 the article's account: each incarnation is what its events add up to",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const Journal journal = Journal::open(system, std::make_shared<MemoryStore>());
    const auto notes = new_notes();
    auto account = system.spawn<Account>("acc-1", notes);
    REQUIRE(account.ask(Deposit{100'00, "initial"}).await() == Balance{100'00});
    REQUIRE(account.ask(Deposit{500'00, "salary"}).await() == Balance{600'00});
    REQUIRE(account.ask(Withdraw{200'00, "rent"}).await() == Balance{400'00});
    REQUIRE(account.ask(Deposit{50'00, "refund"}).await() == Balance{450'00});
    system.stop(account).await();
    account = system.spawn<Account>("acc-1", notes);
    REQUIRE(account.ask(GetBalance{}).await() == Balance{450'00});
    const auto after_2 = journal.read(stream, 2, 100).await();
    REQUIRE(after_2.size() == 2);
    REQUIRE(after_2[0].event.type_name == "bank::Withdrawn");
    REQUIRE(after_2[1].version == 4);
    // S116: effects once, and never in recovery. S119: RecoveryCompleted also of an empty journal.
    REQUIRE(*notes == Notes{"recovered at 0", "deposited, now 10000", "deposited, now 60000",
                            "withdrawn, now 40000", "deposited, now 45000", "recovered at 4"});
  });
}

TEST_CASE("S115 while an event is stored no other command is handled", "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    Journal::open(system, std::make_shared<MemoryStore>());
    const auto notes = new_notes();
    auto account = system.spawn<Account>("acc-1", notes);
    auto a = account.ask(Deposit{10, "a"});
    account.tell(Tell{"between"});
    auto b = account.ask(Withdraw{4, "b"});
    account.tell(Tell{"last"});
    REQUIRE(a.await() == Balance{10});
    REQUIRE(b.await() == Balance{6});
    system.settle();
    REQUIRE(*notes ==
            Notes{"recovered at 0", "deposited, now 10", "between", "withdrawn, now 6", "last"});
  });
}

TEST_CASE("S117 several events of one command are stored all or none", "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const auto store = open_faulty(system);
    auto account = system.spawn<Account>("acc-1");
    REQUIRE(account.ask(DepositMany{{1, 2, -3, 4}}).await() == 4);
    store->instead_of_append = [](const Batch& batch) -> BatchOutcome {
      REQUIRE(batch.events.size() == 2);
      return BatchNotWritten{"the disk is full"};
    };
    REQUIRE(account.ask(DepositMany{{5, 6}}).try_await().error().kind == AskErrorKind::refused);
    REQUIRE(store->real->head(stream) == 4);
    REQUIRE(account.ask(GetBalance{}).await() == Balance{4});
  });
}

TEST_CASE("C244 no events are stored as none, and the command goes on", "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const auto store = open_faulty(system);
    auto account = system.spawn<Account>("acc-1");
    REQUIRE(account.ask(DepositMany{{}}).await() == 0);
    REQUIRE(store->real->head(stream) == 0);
  });
}

TEST_CASE("S121 C247 what is not written changes nothing, and the next command works",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const auto store = open_faulty(system);
    const auto notes = new_notes();
    auto account = system.spawn<Account>("acc-1", notes);
    REQUIRE(account.ask(Deposit{10, "a"}).await() == Balance{10});
    store->instead_of_append = [](const Batch&) { return BatchNotWritten{"the disk is full"}; };
    const auto refused = account.ask(Deposit{10, "b"}).try_await();
    REQUIRE(refused.error().kind == AskErrorKind::refused);
    REQUIRE(refused.error().what == "not written: the disk is full");
    REQUIRE(account.ask(Withdraw{10, "c"}).try_await().error().kind == AskErrorKind::refused);
    store->instead_of_append = nullptr;
    REQUIRE(account.ask(Deposit{5, "d"}).await() == Balance{15});
    REQUIRE(*notes == Notes{"recovered at 0", "deposited, now 10", "deposited, now 15"});
  });
}

TEST_CASE("S121 where nobody knows whether it was written, the actor ends", "[persistence]") {
  for (const bool is_written : {false, true}) {
    on_every_schedule([&](TestSystem& system) {
      const auto store = open_faulty(system);
      const auto notes = new_notes();
      auto account = system.spawn<Account>("acc-1", notes);
      account.ask(Deposit{10, "a"}).await();
      store->instead_of_append = [&](const Batch& batch) -> BatchOutcome {
        if (is_written) store->real->append(batch);
        return BatchUnknown{"the connection is gone"};
      };
      auto unknown = account.ask(Deposit{10, "b"});
      auto waits = account.ask(GetBalance{});
      REQUIRE(unknown.try_await().error().kind == AskErrorKind::receiver_down);
      REQUIRE(waits.try_await().error().kind == AskErrorKind::receiver_down);
      store->instead_of_append = nullptr;
      account = system.spawn<Account>("acc-1", notes);
      REQUIRE(account.ask(GetBalance{}).await() == Balance{is_written ? 20 : 10});
      REQUIRE(account.ask(Deposit{1, "c"}).await() == Balance{is_written ? 21 : 11});
    });
  }
}

TEST_CASE("S122 commands that wait are kept through a restart, and see what was stored",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const auto store = open_faulty(system);
    const auto notes = new_notes();
    const auto account = supervised(system, {}, notes);
    bool is_first = true;
    store->instead_of_append = [&](const Batch& batch) -> BatchOutcome {
      const BatchOutcome outcome = store->real->append(batch);
      return std::exchange(is_first, false) ? BatchUnknown{"the connection is gone"} : outcome;
    };
    auto unknown = account.ask(Deposit{10, "a"});
    auto waits = account.ask(Deposit{5, "b"});
    REQUIRE(unknown.try_await().error().kind == AskErrorKind::receiver_down);
    REQUIRE(waits.await() == Balance{15});
    REQUIRE(*notes == Notes{"recovered at 0", "recovered at 1", "deposited, now 15"});
  });
}

TEST_CASE("S121 an actor whose journal failed does not go on, whatever its supervisor says",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const auto store = open_faulty(system);
    const auto account = supervised(system, Decider{}.otherwise(Decision::resume));
    store->instead_of_append = [](const Batch&) { return BatchUnknown{"?"}; };
    REQUIRE_FALSE(account.ask(Deposit{10, "a"}).try_await().has_value());
    store->instead_of_append = nullptr;
    REQUIRE_FALSE(account.ask(GetBalance{}).try_await().has_value());
    REQUIRE_FALSE(account.ask(Deposit{10, "b"}).try_await().has_value());
    REQUIRE(store->real->head(stream) == 0);
  });
}

TEST_CASE("S118 of two activations of one id the later writer ends, and nothing is lost or doubled",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const Journal journal = Journal::open(system, std::make_shared<MemoryStore>());
    auto one = system.spawn<Account>("acc-1");
    auto two = system.spawn<Account>("acc-1");
    REQUIRE(one.ask(GetBalance{}).await() == Balance{0});
    REQUIRE(two.ask(GetBalance{}).await() == Balance{0});
    auto a = one.ask(Deposit{1, "one"});
    auto b = two.ask(Deposit{2, "two"});
    const auto from_one = a.try_await();
    const auto from_two = b.try_await();
    REQUIRE(from_one.has_value() != from_two.has_value());
    const auto stored = journal.read(stream, 0, 10).await();
    REQUIRE(stored.size() == 1);
    auto third = system.spawn<Account>("acc-1");
    REQUIRE(third.ask(GetBalance{}).await() == Balance{from_one ? 1 : 2});
  });
}

TEST_CASE("S118 who has lost its slice to another journal stores nothing and ends",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const auto store = open_faulty(system);
    auto account = system.spawn<Account>("acc-1");
    account.ask(Deposit{1, "a"}).await();
    static_cast<void>(store->real->claim(0));
    REQUIRE(account.ask(Deposit{2, "b"}).try_await().error().kind == AskErrorKind::receiver_down);
    REQUIRE(store->real->head(stream) == 1);
  });
}

TEST_CASE("C246 an event that can't be applied is not stored, and the actor ends",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const auto store = open_faulty(system);
    auto account = system.spawn<Account>("acc-1");
    REQUIRE(account.ask(Deposit{1, "nobody"}).try_await().error().kind ==
            AskErrorKind::receiver_down);
    REQUIRE(store->real->head(stream) == 0);
  });
}

TEST_CASE("C247 an effect that throws ends the actor, and its event is stored", "[persistence]") {
  class Careless : public troupe::EventSourced<bank::AccountState, Deposit> {
   public:
    Careless() : EventSourced{{"bank-account", "acc-1"}} {}
    troupe::Persisted<Balance> receive(const Deposit& m) {
      return persist_then(bank::Deposited{m.cents, m.source},
                          []() -> Balance { throw std::runtime_error("careless"); });
    }
  };
  on_every_schedule([](TestSystem& system) {
    const auto store = open_faulty(system);
    auto careless = system.spawn<Careless>();
    REQUIRE(careless.ask(Deposit{1, "a"}).try_await().error().kind == AskErrorKind::receiver_down);
    REQUIRE(store->real->head(stream) == 1);
  });
}

TEST_CASE("C242 a kill while an event is stored: it is there or it is not, and nothing is doubled",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const Journal journal = Journal::open(system, std::make_shared<MemoryStore>());
    auto account = system.spawn<Account>("acc-1");
    account.ask(GetBalance{}).await();
    auto deposit = account.ask(Deposit{10, "a"});
    system.kill(account);
    account = system.spawn<Account>("acc-1");
    if (!account.ask(Deposit{1, "b"}).try_await()) {
      // What the killed one had sent came in between: of two writers the later one ends (S118).
      account = system.spawn<Account>("acc-1");
      REQUIRE(account.ask(Deposit{1, "b"}).await() == Balance{11});
    }
    const std::int64_t balance = account.ask(GetBalance{}).await().cents;
    REQUIRE((balance == 1 || balance == 11));
    if (deposit.try_await()) REQUIRE(balance == 11);
    REQUIRE(journal.head(stream).await() == (balance == 11 ? 2 : 1));
  });
}

TEST_CASE("an event-sourced actor says what it needs", "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    auto account = system.spawn<Account>("acc-1");  // no journal
    REQUIRE_FALSE(account.ask(GetBalance{}).try_await().has_value());
    REQUIRE_THROWS_WITH(system.spawn<Account>(""),
                        "\"bank-account/\" names no stream: it has no id");  // C253
    REQUIRE_THROWS_AS(system.spawn<Account>("a\nb"), troupe::UsageError);
    Journal::open(system, std::make_shared<MemoryStore>());
    REQUIRE_THROWS_WITH(Journal::open(system, std::make_shared<MemoryStore>()),
                        "this System has a journal already");
    account = system.spawn<Account>("acc-1");
    REQUIRE(account.ask(GetBalance{}).await() == Balance{0});
  });
}
