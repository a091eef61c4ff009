// A SQLite journal on a simulated disk (F18): crashes at each change, losses of power, errors.
#include <catch2/catch.hpp>
#include <troupe/persistence_sqlite/sqlite_store.hpp>

#include "persistence/account.hpp"
#include "persistence/savings.hpp"
#include "persistence/simulated_disk.hpp"
#include "support/schedules.hpp"

using bank::Account;
using bank::Balance;
using bank::Deposit;
using bank::GetBalance;
using troupe::Ask;
using troupe::persistence::Journal;
using troupe::persistence::open_sqlite;
using troupe::persistence::SqliteOptions;
using troupe::persistence::StoreCorrupt;
using troupe::persistence::StoredEvent;
using troupe::persistence::StoreFailed;
using troupe::test::from_environment;
using troupe::test::SimulatedDisk;
using troupe::testkit::TestSystem;
using Left = SimulatedDisk::Left;
using Operation = SimulatedDisk::Operation;

namespace {

constexpr std::size_t accounts = 3;
constexpr std::size_t deposits = 24;  // of each
constexpr std::size_t all = 1'000'000;

SqliteOptions options_of(const SimulatedDisk& disk) {
  SqliteOptions options{"journal.db"};
  options.layer = disk.layer();
  options.index_events = 8;  // folded some times
  options.log_pages = 4;     // and written into the database
  return options;
}

enum class Outcome : std::uint8_t { none, acknowledged, rejected, failed };
/// What became of an account's deposits, as its owner was told.
using Told = std::array<Outcome, deposits>;
int acknowledged(const Told& told) {
  return static_cast<int>(std::count(told.begin(), told.end(), Outcome::acknowledged));
}
Outcome outcome_of(const troupe::Result<Balance, troupe::AskError>& result) {
  if (result) return Outcome::acknowledged;
  return result.error().kind == troupe::AskErrorKind::refused ? Outcome::rejected : Outcome::failed;
}

struct Begin {};
struct Paid {
  std::size_t number;
  Outcome outcome;
};
/// Pays into one account, all at once.
class Owner final : public troupe::Actor<Begin, troupe::Private<Paid>> {
 public:
  Owner(troupe::Ref<Deposit> account, Told* told) : account_(std::move(account)), told_(told) {}
  void receive(const Begin&) {
    for (std::size_t d = 0; d < deposits; ++d) {
      auto ask = account_.ask(Deposit{1, std::to_string(d)}, troupe::no_timeout);
      pipe_to_self(std::move(ask), [d](const troupe::Result<Balance, troupe::AskError>& result) {
        return Paid{d, outcome_of(result)};
      });
    }
  }
  void receive(const Paid& m) { (*told_)[m.number] = m.outcome; }

 private:
  const troupe::Ref<Deposit> account_;
  Told* const told_;
};

/// One more account has snapshots, and what it no longer needs is deleted.
constexpr troupe::SnapshotPolicy saving{.every_events = 3, .keep = 1, .delete_events = true};

/// A process that has a journal, and whose accounts are paid into until all is done or the disk has
/// crashed. With `killed_at_step` it is killed when the executor has done so many.
struct Process {
  std::array<Told, accounts> told{};
  Told saved{};
  std::uint64_t steps = 0;
  bool has_opened = false;

  Process(SimulatedDisk& disk, std::uint64_t seed, std::uint64_t killed_at_step = 0) {
    TestSystem system{seed};
    try {
      Journal::open(system, open_sqlite(options_of(disk)));
    } catch (const StoreFailed&) {
      return;
    }
    has_opened = true;
    for (std::size_t a = 0; a < accounts; ++a) {
      const auto account = system.spawn<Account>(std::to_string(a));
      system.spawn<Owner>(account, &told[a]).tell(Begin{});
    }
    const auto savings = system.spawn<bank::Savings>(saving);
    system.spawn<Owner>(savings, &saved).tell(Begin{});
    const auto over = [&] {
      if (++steps == killed_at_step) disk.crash();
      return disk.has_crashed();
    };
    system.run_until(over, std::chrono::seconds(1));
    disk.crash();  // it is killed, and closes nothing
  }
};

/// What was acknowledged is there, in order; what was rejected is not; and the journal opens and
/// goes on. Where nothing but a crash has happened, what was not acknowledged is there up to some
/// point only.
void require_kept(SimulatedDisk& disk, const Process& before, bool is_prefix = true) {
  const auto store = open_sqlite(options_of(disk));
  const auto everything = store->read_slice(0, 0, all);
  for (std::size_t i = 0; i < everything.size(); ++i) REQUIRE(everything[i].position == i + 1);
  TestSystem system{1};
  const Journal journal = Journal::open(system, store);
  for (std::size_t a = 0; a < accounts; ++a) {
    CAPTURE(a);
    const auto events = store->read_stream({"bank-account", std::to_string(a)}, 0, all);
    std::array<bool, deposits> is_there{};
    std::size_t last = 0;
    for (const StoredEvent& e : events) {
      const auto deposited = troupe::codec::decode<bank::Deposited>(e.event.data);
      const std::size_t d = std::stoul(deposited.source);
      REQUIRE(d >= last);
      REQUIRE_FALSE(is_there.at(d));
      is_there[last = d] = true;
    }
    for (std::size_t d = 0; d < deposits; ++d) {
      if (before.told[a][d] == Outcome::acknowledged) REQUIRE(is_there[d]);
      if (before.told[a][d] == Outcome::rejected) REQUIRE_FALSE(is_there[d]);
    }
    if (is_prefix && !events.empty()) REQUIRE(last + 1 == events.size());
    const auto cents = static_cast<std::int64_t>(events.size());
    const auto account = system.spawn<Account>(std::to_string(a));
    REQUIRE(account.ask(Deposit{1, "99"}).await() == Balance{cents + 1});
  }
  const auto saved = static_cast<std::int64_t>(store->head({"savings", "1"}));
  REQUIRE(saved >= acknowledged(before.saved));
  REQUIRE(system.spawn<bank::Savings>(saving).ask(GetBalance{}).await() == Balance{saved});
}

void restart(SimulatedDisk& disk, std::uint64_t number) {
  switch (number % 4) {
    case 0: return disk.restart();
    case 1: return disk.restart_without_power(Left::nothing);
    case 2: return disk.restart_without_power(Left::the_first);
    default: return disk.restart_without_power(Left::some);
  }
}

std::uint64_t seed_of_run() {
  return from_environment("TROUPE_SEED", troupe::random_seed());
}

/// TROUPE_CRASHES=4: everything is tried; by default each point in one way, by turns.
std::uint64_t ways() {
  return std::clamp<std::uint64_t>(from_environment("TROUPE_CRASHES", 1), 1, 4);
}

struct Whole {
  std::uint64_t changes = 0;
  std::uint64_t steps = 0;
  std::array<std::uint64_t, 5> counts{};
};
/// What a run has where nothing goes wrong.
Whole whole_run(std::uint64_t seed) {
  SimulatedDisk disk(seed);
  const Process process(disk, seed);
  for (const Told& told : process.told) REQUIRE(acknowledged(told) == static_cast<int>(deposits));
  Whole whole{disk.changes(), process.steps, {}};
  for (std::size_t i = 0; i < whole.counts.size(); ++i)
    whole.counts[i] = disk.count(static_cast<Operation>(i));
  return whole;
}
int acknowledged(const Process& process) {
  int sum = acknowledged(process.saved);
  for (const Told& told : process.told) sum += acknowledged(told);
  return sum;
}

/// The process that starts again crashes, too, at that change.
void crash_while_opening(SimulatedDisk& disk, std::uint64_t at) {
  disk.crash_at_change(at);
  try {
    open_sqlite(options_of(disk))->maintain();
  } catch (const StoreFailed&) {  // the crash
  }
  disk.crash();
}

/// An operation fails once, at each of the first `most` of its kind: nothing acknowledged is lost
/// then, whatever the process did next.
void fail_each(Operation operation, int code, bool is_short, std::uint64_t most,
               const std::function<void(const Process&)>& check = {}) {
  const std::uint64_t seed = seed_of_run();
  CAPTURE(seed);
  const std::uint64_t count =
      std::min(most, whole_run(seed).counts[static_cast<std::size_t>(operation)]);
  int kept = 0;
  for (std::uint64_t at = 1; at <= count; ++at) {
    CAPTURE(at);
    SimulatedDisk disk(seed + at);
    disk.fail(operation, at, code, is_short);
    const Process process(disk, seed);
    REQUIRE(disk.has_failed());
    if (check && process.has_opened) check(process);
    restart(disk, at);
    require_kept(disk, process, false);
    kept += acknowledged(process);
  }
  WARN(count << " times it failed once: acknowledged events lost: 0, of " << kept);
}

}  // namespace

TEST_CASE(
    "DISK2 S128 a crash or loss of power at each change of the disk loses nothing acknowledged",
    "[persistence][sqlite]") {
  const std::uint64_t seed = seed_of_run();
  CAPTURE(seed);
  const std::uint64_t changes = whole_run(seed).changes;
  REQUIRE(changes > 200);
  int kept = 0;
  for (std::uint64_t at = 1; at <= changes; ++at) {
    for (std::uint64_t n = 0; n < ways(); ++n) {
      const std::uint64_t how = (seed + at + n) % 4;
      CAPTURE(at, how);
      SimulatedDisk disk(seed + at * 4 + how);
      disk.crash_at_change(at);
      const Process process(disk, seed);
      restart(disk, how);
      crash_while_opening(disk, at % 24 + 1);
      restart(disk, how + 1);
      require_kept(disk, process);
      kept += acknowledged(process);
    }
  }
  WARN(changes << " points, " << ways()
               << " of a crash and three losses of power at each, and a crash of the process that "
                  "opens it then: acknowledged events lost: 0, of "
               << kept);
}

TEST_CASE(
    "S116 S117 a crash at each send and acknowledgement leaves what was acknowledged and a prefix",
    "[persistence][sqlite]") {
  const std::uint64_t seed = seed_of_run();
  CAPTURE(seed);
  const std::uint64_t steps = whole_run(seed).steps;
  int kept = 0;
  for (std::uint64_t at = 1 + seed % (5 - ways()); at < steps; at += 5 - ways()) {
    CAPTURE(at);
    SimulatedDisk disk(seed + at);
    const Process process(disk, seed, at);
    restart(disk, at);
    require_kept(disk, process);
    kept += acknowledged(process);
  }
  WARN((steps - 1) / (5 - ways()) << " points of " << steps - 1
                                  << ": acknowledged events lost: 0, of " << kept);
}

TEST_CASE("DISK4 a sync that fails is not tried again, and nothing behind it is acknowledged",
          "[persistence][sqlite]") {
  fail_each(Operation::sync, SQLITE_IOERR_FSYNC, false, all);
}

TEST_CASE("DISK5 what can't be read is not taken for the end", "[persistence][sqlite]") {
  const std::uint64_t seed = seed_of_run();
  CAPTURE(seed);
  SimulatedDisk disk(seed);
  const Process process(disk, seed);
  disk.restart();
  const auto read_all = [&] { return open_sqlite(options_of(disk))->read_slice(0, 0, all).size(); };
  REQUIRE(read_all() == (accounts + 1) * deposits);
  int failed = 0;
  int whole = 0;
  for (std::uint64_t at = 1;; ++at) {
    disk.restart();
    disk.fail(Operation::read, at, SQLITE_IOERR_READ);
    CAPTURE(at);
    try {
      const auto store = open_sqlite(options_of(disk));
      const std::size_t count = store->read_slice(0, 0, all).size();
      REQUIRE(count == (accounts + 1) * deposits);
      ++whole;
    } catch (const StoreFailed& e) {
      REQUIRE_THAT(e.what(), Catch::Contains("journal.db"));
      ++failed;
    }
    if (!disk.has_failed()) break;  // there are no more
  }
  REQUIRE(failed > 20);
  WARN(failed << " failed reads were reported, " << whole << " were not of events");
  fail_each(Operation::read, SQLITE_IOERR_READ, false, 200);
}

TEST_CASE("DISK6 S121 a full disk rejects what can't be written, and the process goes on",
          "[persistence][sqlite]") {
  fail_each(Operation::write, SQLITE_FULL, false, 200, [](const Process& process) {
    // Of each account one deposit at most was in the batch that was not written.
    REQUIRE(acknowledged(process) >= static_cast<int>((accounts + 1) * (deposits - 1)));
  });
}

TEST_CASE("DISK7 a write that was cut short is rolled back", "[persistence][sqlite]") {
  fail_each(Operation::write, SQLITE_FULL, true, 200);
}

TEST_CASE("DISK4 a write that fails in the disk ends the journal and loses nothing",
          "[persistence][sqlite]") {
  fail_each(Operation::write, SQLITE_IOERR_WRITE, false, 200);
}
