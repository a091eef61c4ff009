// F4, DISK8, DISK9: what becomes of a SQLite log that is torn or damaged.
#include "wal_scan.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>
#include <troupe/persistence_sqlite/sqlite_store.hpp>
#include <troupe/runtime/random.hpp>

#include "support/schedules.hpp"
#include "support/temporary_folder.hpp"

using troupe::persistence::Batch;
using troupe::persistence::BatchWritten;
using troupe::persistence::Claim;
using troupe::persistence::open_sqlite;
using troupe::persistence::Store;
using troupe::persistence::StoreCorrupt;
using troupe::persistence::StoredEvent;
using troupe::persistence::sqlite::scan_wal;
using troupe::test::from_environment;
using troupe::test::TemporaryFolder;

namespace {

constexpr std::size_t all = 1'000'000;

std::string contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write_to(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

StoredEvent event(std::uint64_t position) {
  return {0,
          position,
          {"test", "one"},
          position,
          {troupe::SchemaId{7}, 1, "Event", {position, 1, 2, 3}, {}},
          {}};
}

/// A journal's files as they are on the disk while its process has it, with `commits` in the log,
/// one event each.
struct Files {
  std::string database;
  std::string log;
  explicit Files(std::uint64_t commits) {
    const TemporaryFolder folder;
    const std::string path = folder.file("journal.db");
    const auto store = open_sqlite({path});
    const Claim claim = store->claim(0);
    for (std::uint64_t n = 1; n <= commits; ++n) {
      const std::vector<StoredEvent> events{event(n)};
      REQUIRE(std::holds_alternative<BatchWritten>(store->append({0, claim.epoch, events, {}})));
    }
    database = contents_of(path);
    log = contents_of(path + "-wal");
  }
};

/// How many events a journal of these files has; each is checked. Throws StoreCorrupt.
std::size_t events_in(const std::string& database, std::string_view log) {
  const TemporaryFolder folder;
  const std::string path = folder.file("journal.db");
  write_to(path, database);
  write_to(path + "-wal", log);
  const auto store = open_sqlite({path});
  const auto read = store->read_slice(0, 0, all);
  for (std::size_t i = 0; i < read.size(); ++i) REQUIRE(read[i] == event(i + 1));
  return read.size();
}

}  // namespace

TEST_CASE("DISK8 a log that is cut off anywhere has lost the transactions behind the cut only",
          "[persistence][sqlite]") {
  constexpr std::uint64_t commits = 5;
  const Files files(commits);
  REQUIRE(events_in(files.database, files.log) == commits);
  std::size_t last = 0;
  for (std::size_t length = 0; length < files.log.size(); length += 512) {
    const std::size_t there =
        events_in(files.database, std::string_view(files.log).substr(0, length));
    REQUIRE(there >= last);
    last = there;
  }
  REQUIRE(last == commits - 1);
  std::string zeros = files.log;
  std::fill(zeros.end() - 4096, zeros.end(), '\0');
  REQUIRE(events_in(files.database, zeros) == commits - 1);
}

TEST_CASE(
    "F4 DISK9 a flipped bit in the log is found out, or does no harm before the last transaction",
    "[persistence][sqlite]") {
  constexpr std::uint64_t commits = 40;
  const Files files(commits);
  const std::uint64_t flips = from_environment("TROUPE_FLIPS", 500);
  const std::uint64_t seed = from_environment("TROUPE_SEED", 42);
  INFO("TROUPE_SEED=" << seed);
  troupe::Random random{seed};
  std::uint64_t reported = 0;
  std::uint64_t cut = 0;
  for (std::uint64_t i = 0; i < flips; ++i) {
    std::string log = files.log;
    const std::uint32_t at = random.below(static_cast<std::uint32_t>(log.size()));
    log[at] = static_cast<char>(log[at] ^ 1 << random.below(8));
    INFO("a bit of byte " << at << " of " << log.size());
    try {
      const std::size_t there = events_in(files.database, log);
      REQUIRE(there >= commits - 1);
      cut += there < commits ? 1 : 0;
    } catch (const StoreCorrupt&) {
      ++reported;
    }
  }
  REQUIRE(reported > flips / 2);
  WARN(flips << " flips: " << reported << " reported, " << cut << " cut the last transaction, "
             << flips - reported - cut << " harmless");
}

TEST_CASE("F4 the mark of a commit that has flipped is found out, too", "[persistence][sqlite]") {
  const Files files(6);
  constexpr std::size_t header = 32;
  constexpr std::size_t frame = 24 + 4096;
  std::size_t marks = 0;
  for (std::size_t at = header; at + 2 * frame < files.log.size(); at += frame) {
    for (std::size_t bit = 0; bit < 32; ++bit) {
      std::string log = files.log;
      log[at + 4 + bit / 8] = static_cast<char>(log[at + 4 + bit / 8] ^ 1 << bit % 8);
      try {
        const std::size_t there = events_in(files.database, log);
        REQUIRE(there >= 5);
      } catch (const StoreCorrupt&) {
        ++marks;
      }
    }
  }
  REQUIRE(marks > 0);
}

TEST_CASE("a log that is missing, empty or of another page size is what it is",
          "[persistence][sqlite]") {
  const TemporaryFolder folder;
  REQUIRE(scan_wal({folder.file("none"), ""}).frames == 0);
  write_to(folder.file("empty"), "");
  REQUIRE(scan_wal({folder.file("empty"), ""}).frames == 0);
  const Files files(3);
  write_to(folder.file("log"), files.log);
  const auto scan = scan_wal({folder.file("log"), ""});
  REQUIRE(scan.commits >= 3);
  REQUIRE(scan.torn == 0);
  std::string damaged = files.log;
  damaged[9] = static_cast<char>(damaged[9] ^ 1);  // the page size in its header
  write_to(folder.file("log"), damaged);
  REQUIRE_THROWS_WITH(scan_wal({folder.file("log"), ""}), Catch::Contains("its header is damaged"));
}
