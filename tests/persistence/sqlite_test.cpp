// The journal in a SQLite file: who may open it, and what it finds out.
#include <troupe/persistence_sqlite/sqlite_store.hpp>

#include <sqlite3.h>

#include <fstream>

#include <catch2/catch.hpp>
#include <troupe/persistence_testkit/store_conformance.hpp>

#include "persistence/account.hpp"
#include "persistence/savings.hpp"
#include "support/schedules.hpp"
#include "support/temporary_folder.hpp"

using bank::Account;
using bank::Balance;
using bank::Deposit;
using bank::GetBalance;
using bank::Withdraw;
using troupe::persistence::Journal;
using troupe::persistence::open_sqlite;
using troupe::persistence::Store;
using troupe::persistence::StoreCorrupt;
using troupe::persistence::StoreFailed;
using troupe::test::TemporaryFolder;
using troupe::testkit::StoreUnderTest;
using troupe::testkit::TestSystem;

namespace {

class InFile final : public StoreUnderTest {
 public:
  explicit InFile(std::size_t index_events) : index_events_(index_events) {}
  [[nodiscard]] std::shared_ptr<Store> open() override {
    return open_sqlite({folder_.file("journal.db"), true, index_events_});
  }

 private:
  const std::size_t index_events_;
  TemporaryFolder folder_;
};

/// Runs SQL on a file, as an operator with the shell would.
void run_sql(const std::string& path, const char* sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
  const int code = sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
  sqlite3_close(database);
  REQUIRE(code == SQLITE_OK);
}

/// The article's account, four events, in a file.
void write_account(const std::string& path) {
  TestSystem system{1};
  Journal::open(system, open_sqlite({path}));
  auto account = system.spawn<Account>("acc-1");
  REQUIRE(account.ask(Deposit{100'00, "initial"}).await() == Balance{100'00});
  REQUIRE(account.ask(Deposit{500'00, "salary"}).await() == Balance{600'00});
  REQUIRE(account.ask(Withdraw{200'00, "rent"}).await() == Balance{400'00});
  REQUIRE(account.ask(Deposit{50'00, "refund"}).await() == Balance{450'00});
}

}  // namespace

TEST_CASE("conformance: a journal in a SQLite file", "[persistence][sqlite]") {
  const auto folded_at = GENERATE(as<std::size_t>{}, 2, 32'768);  // at once, and not
  for (const auto& one : troupe::testkit::store_conformance()) {
    DYNAMIC_SECTION(one.name << ", folded at " << folded_at) {
      REQUIRE_NOTHROW(one.run([&] { return std::make_unique<InFile>(folded_at); }));
    }
  }
}

TEST_CASE("S119 the article's account is there when its process starts again",
          "[persistence][sqlite]") {
  const TemporaryFolder folder;
  write_account(folder.file("bank.db"));
  TestSystem system{2};
  const Journal journal = Journal::open(system, open_sqlite({folder.file("bank.db")}));
  const auto account = system.spawn<Account>("acc-1");
  REQUIRE(account.ask(GetBalance{}).await() == Balance{450'00});
  REQUIRE(journal.head({"bank-account", "acc-1"}).await() == 4);
  REQUIRE(account.ask(Withdraw{450'00, "all"}).await() == Balance{0});
}

TEST_CASE("DISK12 a second process is turned down, and the first goes on",
          "[persistence][sqlite]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("journal.db");
  TestSystem system{1};
  const Journal journal = Journal::open(system, open_sqlite({path}));
  REQUIRE_THROWS_AS(open_sqlite({path}), StoreFailed);
  REQUIRE_THROWS_WITH(open_sqlite({path}), Catch::Contains("process " + std::to_string(getpid())));
  auto account = system.spawn<Account>("acc-1");
  REQUIRE(account.ask(Deposit{1, "a"}).await() == Balance{1});

  TestSystem other{2};
  Journal::open(other, open_sqlite({path, true}));  // and taken over, it is fenced
  REQUIRE_FALSE(account.ask(Deposit{1, "b"}).try_await().has_value());
  REQUIRE(other.spawn<Account>("acc-1").ask(Deposit{5, "c"}).await() == Balance{6});
}

TEST_CASE("a file that is no journal is not touched", "[persistence][sqlite]") {
  const TemporaryFolder folder;
  const std::string other = folder.file("other.db");
  run_sql(other, "CREATE TABLE customer(name TEXT)");
  std::ifstream before(other, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(before), {}};
  REQUIRE_THROWS_WITH(open_sqlite({other}), Catch::Contains("of another program"));
  std::ifstream after(other, std::ios::binary);
  REQUIRE(std::string{std::istreambuf_iterator<char>(after), {}} == bytes);
  const std::string text = folder.file("text");
  std::ofstream(text) << "Dear Sir or Madam, this is a letter and no database at all.";
  REQUIRE_THROWS_AS(open_sqlite({text}), StoreCorrupt);
  REQUIRE_THROWS_AS(open_sqlite({folder.file("no/such/folder")}), StoreFailed);
  REQUIRE_THROWS_AS(open_sqlite({""}), troupe::UsageError);
}

TEST_CASE("DISK14 a journal of a later format is refused with its number",
          "[persistence][sqlite]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("journal.db");
  write_account(path);
  run_sql(path, "PRAGMA user_version=2");
  REQUIRE_THROWS_WITH(open_sqlite({path}), Catch::Contains("format 2"));
}

TEST_CASE("DISK10 a row that is damaged, moved or missing is found out, and named",
          "[persistence][sqlite]") {
  const std::vector<std::pair<const char*, std::string>> damages{
      {"UPDATE event SET data=zeroblob(length(data)) WHERE position=2", "event 2"},
      {"UPDATE event SET stream='bank-account/acc-2' WHERE position=3", "event 3"},
      {"UPDATE event SET recorded_at=recorded_at+1 WHERE position=4", "event 4"},
      {"UPDATE event SET tags='x' WHERE position=1", "event 1"},
      {"DELETE FROM event WHERE position=2", "some are missing"},
      {"UPDATE event SET position=9 WHERE position=4", "event 9"},
      {"UPDATE meta SET low=low+1", "event 1"},  // of another journal
  };
  for (const auto& [damage, text] : damages) {
    const TemporaryFolder folder;
    const std::string path = folder.file("journal.db");
    write_account(path);
    run_sql(path, damage);
    INFO(damage);
    REQUIRE_THROWS_AS(open_sqlite({path}), StoreCorrupt);
    REQUIRE_THROWS_WITH(open_sqlite({path}), Catch::Contains(text));
  }
}

TEST_CASE("a batch that does not follow what is there is not written", "[persistence][sqlite]") {
  using namespace troupe::persistence;  // NOLINT: these few
  const TemporaryFolder folder;
  const std::string path = folder.file("journal.db");
  write_account(path);
  const auto event = [](Position position, Version version) {
    return StoredEvent{0, position, {"bank-account", "acc-1"}, version, {}, {}};
  };
  {
    const auto store = open_sqlite({path});
    const Claim claim = store->claim(0);
    for (const auto& wrong : {event(6, 5), event(5, 6), event(4, 5), event(5, 4)}) {
      const std::vector<StoredEvent> events{wrong};
      REQUIRE_THROWS_AS(store->append({0, claim.epoch, events, {}}), StoreCorrupt);
    }
    const std::vector<StoredEvent> events{event(5, 5)};
    REQUIRE(std::holds_alternative<BatchWritten>(store->append({0, claim.epoch, events, {}})));
  }
  REQUIRE(open_sqlite({path})->head({"bank-account", "acc-1"}) == 5);
}

TEST_CASE("DISK10 a record of a command that is missing is found out", "[persistence][sqlite]") {
  using namespace troupe::persistence;  // NOLINT: these few
  const TemporaryFolder folder;
  const std::string path = folder.file("journal.db");
  {
    const auto store = open_sqlite({path});
    const Claim claim = store->claim(0);
    const std::vector<CommandRecord> commands{{{"a", "b"}, "c1", 1, 1, 0, {}},
                                              {{"a", "b"}, "c2", 1, 1, 0, {}}};
    REQUIRE(std::holds_alternative<BatchWritten>(store->append({0, claim.epoch, {}, commands})));
  }
  run_sql(path, "DELETE FROM command WHERE number=1");
  REQUIRE_THROWS_WITH(open_sqlite({path}), Catch::Contains("command 1 is missing"));
}

TEST_CASE("who takes a journal over that nobody has any more has its lock",
          "[persistence][sqlite]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("journal.db");
  const auto store = open_sqlite({path, true});
  REQUIRE_THROWS_AS(open_sqlite({path}), StoreFailed);
}

TEST_CASE("S10 a journal in a file serves actors on threads", "[persistence][sqlite]") {
  const TemporaryFolder folder;
  constexpr int accounts = 20;
  constexpr int deposits = 50;
  {
    troupe::System system{{.workers = 2, .log = troupe::no_log()}};
    Journal::open(system, open_sqlite({folder.file("journal.db")}));
    std::vector<troupe::Ref<Account>> all;
    for (int i = 0; i < accounts; ++i) all.push_back(system.spawn<Account>(std::to_string(i)));
    std::vector<troupe::Ask<Balance>> asks;
    for (int n = 0; n < deposits; ++n)
      for (const auto& account : all)
        asks.push_back(account.ask(Deposit{1, "x"}, troupe::no_timeout));
    for (auto& ask : asks) ask.await();
  }
  troupe::System system{{.workers = 2, .log = troupe::no_log()}};
  Journal::open(system, open_sqlite({folder.file("journal.db")}));
  for (int i = 0; i < accounts; ++i) {
    const auto account = system.spawn<Account>(std::to_string(i));
    REQUIRE(account.ask(GetBalance{}, troupe::no_timeout).await() == Balance{deposits});
  }
}

TEST_CASE("DISK11 S124 a flipped bit in the file of snapshots costs time only",
          "[persistence][sqlite]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("journal.db");
  const troupe::SnapshotPolicy every_ten{.every_events = 10};
  {
    TestSystem system{1};
    Journal::open(system, open_sqlite({path}));
    const auto savings = system.spawn<bank::Savings>(every_ten);
    for (int i = 1; i <= 25; ++i) REQUIRE(savings.ask(Deposit{1, "a"}).await() == Balance{i});
    system.settle();
  }
  // What is in its log is put into it, as its next checkpoint would.
  run_sql(path + "-snapshots", "PRAGMA wal_checkpoint(TRUNCATE)");
  std::ifstream file(path + "-snapshots", std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  const std::uint64_t seed = troupe::test::from_environment("TROUPE_SEED", troupe::random_seed());
  const std::uint64_t flips = troupe::test::from_environment("TROUPE_FLIPS", 200);
  CAPTURE(seed);
  troupe::Random random(seed);
  for (std::uint64_t n = 0; n < flips; ++n) {
    std::string bytes = whole;
    const std::size_t bit = random.below(static_cast<std::uint32_t>(bytes.size() * 8));
    CAPTURE(bit);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    std::ofstream(path + "-snapshots", std::ios::binary | std::ios::trunc) << bytes;
    TestSystem system{1};
    Journal::open(system, open_sqlite({path}));
    REQUIRE(system.spawn<bank::Savings>(every_ten).ask(GetBalance{}).await() == Balance{25});
  }
}
