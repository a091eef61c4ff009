// Snapshots: what they save, and what becomes of one that can't be used.
#include <atomic>
#include <future>

#include <catch2/catch.hpp>
#include <troupe/persistence/persistence.hpp>

#include "persistence/faulty_store.hpp"
#include "persistence/savings.hpp"
#include "support/schedules.hpp"

using bank::Balance;
using bank::Deposit;
using bank::DepositTwice;
using bank::GetBalance;
using bank::Savings;
using bank::SavingsOf;
using troupe::SnapshotPolicy;
using troupe::persistence::any_version;
using troupe::persistence::Journal;
using troupe::persistence::StoredEvent;
using troupe::persistence::StoredSnapshot;
using troupe::persistence::StreamId;
using troupe::test::FaultyStore;
using troupe::testkit::TestSystem;

namespace {

const StreamId stream{"savings", "1"};

/// What went wrong in the log.
class Lines final : public troupe::Log {
 public:
  void write(troupe::LogLevel level, std::string_view /*who*/, std::string_view text) override {
    if (level >= troupe::LogLevel::warning) lines.emplace_back(text);
  }
  std::vector<std::string> lines;
};

/// A process with a journal on that store, and the account.
template <class T = Savings>
struct Process {
  std::shared_ptr<Lines> log = std::make_shared<Lines>();
  TestSystem system;
  Journal journal;
  troupe::Ref<T> savings;
  Process(const std::shared_ptr<FaultyStore>& store, const SnapshotPolicy& policy)
      : system(1, troupe::testkit::Schedule::seeded, options()),
        journal(Journal::open(system, store)),
        savings(system.spawn<T>(policy)) {}
  [[nodiscard]] troupe::SystemOptions options() const {
    troupe::SystemOptions options;
    options.log = log;
    return options;
  }
  void pay_in(int times) {
    for (int i = 0; i < times; ++i) static_cast<void>(savings.ask(Deposit{1, "salary"}).await());
    system.settle();
  }
  [[nodiscard]] std::int64_t balance() {
    const std::int64_t cents = savings.ask(GetBalance{}).await().cents;
    system.settle();
    return cents;
  }
  [[nodiscard]] bool logged(const std::string& text) const {
    return std::any_of(log->lines.begin(), log->lines.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }
};

std::vector<troupe::persistence::Version> versions_kept(FaultyStore& store) {
  std::vector<troupe::persistence::Version> versions;
  auto kept = store.real->snapshot(stream, any_version);
  while (kept) {
    versions.push_back(kept->version);
    kept = store.real->snapshot(stream, kept->version - 1);
  }
  return versions;
}
using Versions = std::vector<troupe::persistence::Version>;

}  // namespace

TEST_CASE("S119 a recovery reads the newest snapshot and the events behind it", "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  const SnapshotPolicy every_ten{.every_events = 10};
  Process{store, every_ten}.pay_in(25);
  REQUIRE(versions_kept(*store) == Versions{20, 10});
  std::vector<StoredEvent> read;
  store->after_read = [&](std::vector<StoredEvent>& events) {
    read.insert(read.end(), events.begin(), events.end());
  };
  REQUIRE(Process{store, every_ten}.balance() == 25);
  REQUIRE(read.size() == 5);
  REQUIRE(read.front().version == 21);
}

TEST_CASE(
    "C255 snapshots come every so many events, however many are stored at once, and the newest are "
    "kept",
    "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  Process process{store, {.every_events = 3, .keep = 3}};
  for (int i = 1; i <= 10; ++i) {
    REQUIRE(process.savings.ask(DepositTwice{1}).await() == 2 * i);
    process.system.settle();
  }
  REQUIRE(versions_kept(*store) == Versions{20, 16, 12});
}

TEST_CASE("snapshots come by the bytes of events, too", "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  Process{store, {.every_bytes = 300}}.pay_in(30);
  const auto kept = versions_kept(*store);
  REQUIRE(kept.size() == 2);
  const auto first = store->real->read_stream(stream, 0, 1).front();
  const std::uint64_t apart =
      (300 + first.event.data.size() * 8 - 1) / (first.event.data.size() * 8);
  REQUIRE(kept[0] - kept[1] == apart);
}

TEST_CASE("S123 a snapshot that can't be written is no fault of the actor's", "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  store->before_put = [] { throw std::runtime_error("no room"); };
  Process process{store, {.every_events = 2}};
  process.pay_in(5);
  REQUIRE(process.balance() == 5);
  REQUIRE(process.logged("a snapshot of savings/1 at version 2 failed: no room"));
  store->before_put = nullptr;
  process.pay_in(1);  // the next one is in time
  REQUIRE(versions_kept(*store) == Versions{6});
}

namespace {
struct Fragile {
  using Snapshot = bank::AccountSnapshot;
  using Events = troupe::Events<bank::Deposited>;
  Fragile() = default;
  explicit Fragile(const Snapshot& s) : cents(s.cents) {}
  [[nodiscard]] Snapshot snapshot() const { throw std::runtime_error("no memory for a copy"); }
  void apply(const bank::Deposited& e) { cents += e.cents; }
  std::int64_t cents = 0;
};
class FragileAccount : public troupe::EventSourced<Fragile, GetBalance, Deposit> {
 public:
  explicit FragileAccount(SnapshotPolicy policy) : EventSourced({"savings", "1"}, policy) {}
  Balance receive(const GetBalance&) const { return {state().cents}; }
  Balance receive(const Deposit& m) {
    persist(bank::Deposited{m.cents, m.source});
    return {state().cents};
  }
};
}  // namespace

TEST_CASE("S123 a state that can't be copied into a snapshot is no fault of the command's",
          "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  Process<FragileAccount> process{store, {.every_events = 2}};
  process.pay_in(5);
  REQUIRE(process.balance() == 5);
  REQUIRE(process.logged("a snapshot of savings/1 at version 2 failed: no memory for a copy"));
  REQUIRE(Process<FragileAccount>{store, {.every_events = 2}}.balance() == 5);  // it starts, too
}

TEST_CASE("S123 events are deleted only once as many snapshots are kept as there should be",
          "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  Process process{store, {.every_events = 10, .keep = 2, .delete_events = true}};
  process.pay_in(15);
  REQUIRE_FALSE(store->real->read_stream(stream, 0, 1).front().is_deleted);
  process.pay_in(5);
  REQUIRE(store->real->read_stream(stream, 9, 1).front().is_deleted);
  REQUIRE_FALSE(store->real->read_stream(stream, 10, 1).front().is_deleted);
}

TEST_CASE("S123 commands are handled while a snapshot is written", "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  std::promise<void> disk_is_ready;
  std::shared_future<void> is_ready = disk_is_ready.get_future();
  store->blocks = true;
  std::atomic<int> puts = 0;
  store->before_put = [&] {
    ++puts;
    is_ready.wait();
  };
  {
    troupe::System system{{.workers = 1}};
    Journal::open(system, store);
    const auto savings = system.spawn<Savings>(SnapshotPolicy{.every_events = 1});
    for (int i = 1; i <= 100; ++i)
      REQUIRE(savings.ask(Deposit{1, "a"}, troupe::no_timeout).await() == Balance{i});
    disk_is_ready.set_value();
  }
  // Those that came while one was still to be encoded were left out.
  REQUIRE(puts >= 1);
  REQUIRE(puts <= 2);
}

TEST_CASE(
    "S124 DISK11 C239 instead of a damaged snapshot the one before is used, and it is written "
    "again",
    "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  const SnapshotPolicy every_ten{.every_events = 10};
  Process{store, every_ten}.pay_in(25);
  store->after_snapshot = [](StoredSnapshot& s) {
    if (s.version == 20) s.damage = "its checksum differs";
  };
  std::size_t read = 0;
  store->after_read = [&](std::vector<StoredEvent>& events) { read += events.size(); };
  Process process{store, every_ten};
  REQUIRE(process.balance() == 25);
  REQUIRE(read == 15);
  REQUIRE(process.logged(
      "the snapshot of savings/1 at version 20 can't be used: its checksum differs"));
  REQUIRE(process.log->lines.size() == 1);
  REQUIRE(versions_kept(*store) == Versions{25, 20});
}

TEST_CASE("S124 DISK11 where no snapshot can be used all events are read", "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  const SnapshotPolicy every_ten{.every_events = 10};
  Process{store, every_ten}.pay_in(25);
  std::size_t read = 0;
  store->after_read = [&](std::vector<StoredEvent>& events) { read += events.size(); };
  SECTION("damaged") {
    store->after_snapshot = [](StoredSnapshot& s) { s.damage = "its checksum differs"; };
    REQUIRE(Process{store, every_ten}.balance() == 25);
  }
  SECTION("of a release that folds otherwise") {
    REQUIRE(Process<SavingsOf<2>>{store, every_ten}.balance() == 25);
    read = 25;
    store->after_read = [&](std::vector<StoredEvent>&) { ++read; };
    REQUIRE(Process<SavingsOf<2>>{store, every_ten}.balance() == 25);  // it was written again
  }
  SECTION("of another struct") {
    store->after_snapshot = [](StoredSnapshot& s) { s.type = troupe::SchemaId{1}; };
    REQUIRE(Process{store, every_ten}.balance() == 25);
  }
  SECTION("no encoding of it") {
    store->after_snapshot = [](StoredSnapshot& s) { s.data = {~0ull, ~0ull}; };
    REQUIRE(Process{store, every_ten}.balance() == 25);
  }
  SECTION("the snapshots can't be read") {
    store->after_snapshot = [](StoredSnapshot&) { throw std::runtime_error("the disk is gone"); };
    REQUIRE(Process{store, every_ten}.balance() == 25);
  }
  SECTION("a version that can't be is not asked below again and again") {
    const auto version = GENERATE(as<troupe::persistence::Version>{}, 0, ~0ull - 100);
    store->after_snapshot = [=](StoredSnapshot& s) {
      s.version = version;
      s.damage = "its checksum differs";
    };
    REQUIRE(Process{store, every_ten}.balance() == 25);
  }
  REQUIRE(read == 25);
}

TEST_CASE("F5 a snapshot that is ahead of its stream is not used", "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  const SnapshotPolicy every_ten{.every_events = 10};
  Process{store, every_ten}.pay_in(12);
  store->after_snapshot = [](StoredSnapshot& s) { s.version = 13; };
  Process process{store, every_ten};
  store->after_snapshot = nullptr;
  REQUIRE(process.balance() == 12);
}

TEST_CASE("S123 C255 events are deleted only below the oldest snapshot that was read back",
          "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  const SnapshotPolicy deleting{.every_events = 10, .keep = 2, .delete_events = true};
  const auto deleted = [&] {
    const auto events = store->real->read_stream(stream, 0, 1000);
    return std::count_if(events.begin(), events.end(), [](const auto& e) { return e.is_deleted; });
  };
  Process{store, deleting}.pay_in(35);
  REQUIRE(versions_kept(*store) == Versions{30, 20});
  REQUIRE(deleted() == 20);
  REQUIRE(Process{store, deleting}.balance() == 35);
  // The newest that is damaged on its way counts for nothing.
  store->after_snapshot = [](StoredSnapshot& s) {
    if (s.version >= 40) s.damage = "its checksum differs";
  };
  Process damaged{store, deleting};
  damaged.pay_in(10);
  REQUIRE(damaged.logged("a snapshot of savings/1 at version 40 failed"));
  REQUIRE(deleted() == 20);
  REQUIRE(Process{store, deleting}.balance() == 45);
  // Nor does one of an earlier release: what it has can't be read by this one.
  store->after_snapshot = nullptr;
  Process<SavingsOf<2>> later{store, deleting};
  REQUIRE_FALSE(later.savings.ask(GetBalance{}).try_await().has_value());
  REQUIRE(deleted() == 20);
}

TEST_CASE(
    "F5 S124 where neither a snapshot nor all events are there the actor says what is missing",
    "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  const SnapshotPolicy deleting{.every_events = 10, .keep = 2, .delete_events = true};
  Process{store, deleting}.pay_in(25);
  const auto recorder = std::make_shared<troupe::test::Recorder>();
  TestSystem system{1, troupe::testkit::Schedule::seeded, troupe::test::observed_by(recorder)};
  Journal::open(system, store);
  const auto savings = system.spawn<SavingsOf<2>>(deleting);
  REQUIRE_FALSE(savings.ask(GetBalance{}).try_await().has_value());
  REQUIRE_THAT(recorder->all("failed").front().text,
               Catch::Contains("events 1 to 10 of savings/1 were deleted") &&
                   Catch::Contains("the snapshot of savings/1 at version 20 can't be used"));
}

TEST_CASE("C241 a stream of which only a snapshot is left goes on from there", "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  const SnapshotPolicy every_ten{.every_events = 10};
  Process{store, every_ten}.pay_in(20);
  store->real->delete_events(stream, 20);
  Process process{store, every_ten};
  REQUIRE(process.balance() == 20);
  process.pay_in(1);
  REQUIRE(process.balance() == 21);
  REQUIRE(process.journal.head(stream).await() == 21);
}

TEST_CASE("time travel begins with a snapshot, and says where events were deleted",
          "[persistence]") {
  using troupe::persistence::state_at;
  using State = bank::SavingsState<1>;
  const auto store = std::make_shared<FaultyStore>();
  Process process{store, {.every_events = 10, .keep = 2, .delete_events = true}};
  process.pay_in(25);
  std::size_t read = 0;
  store->after_read = [&](std::vector<StoredEvent>& events) { read += events.size(); };
  REQUIRE(state_at<State>(process.journal, stream).state.cents == 25);
  REQUIRE(read == 5);
  REQUIRE(state_at<State>(process.journal, stream, {.version = 13}).state.cents == 13);
  REQUIRE(state_at<State>(process.journal, stream, {.version = 10}).state.cents == 10);
  REQUIRE_THROWS_WITH(state_at<State>(process.journal, stream, {.version = 9}),
                      Catch::Contains("version 1 of savings/1 was deleted"));
  REQUIRE(troupe::persistence::in_words<State>(store->real->read_stream(stream, 0, 1)[0].event) ==
          "(deleted)");
}
