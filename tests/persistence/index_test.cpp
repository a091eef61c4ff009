// The index beside a SQLite journal: folded while it grows, made anew where it is in doubt.
#include "index.hpp"

#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <map>

#include <catch2/catch.hpp>
#include <troupe/persistence_sqlite/sqlite_store.hpp>
#include <troupe/runtime/random.hpp>

#include "support/schedules.hpp"
#include "support/temporary_folder.hpp"

namespace fs = std::filesystem;
using namespace troupe::persistence;  // NOLINT: what this file is about
using sqlite::FileName;
using sqlite::Index;
using sqlite::RunKind;
using troupe::test::from_environment;
using troupe::test::TemporaryFolder;

namespace {

constexpr std::size_t all = 1'000'000;
const HistoryId history{1, 2};

/// Some streams of two categories that grow at random, and what is known of them.
class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {}

  StoredEvent next() {
    const std::uint64_t n = random_.below(20);
    const StreamId stream{n % 2 == 0 ? "even" : "odd", std::to_string(n)};
    StoredEvent e{0, events.size() + 1, stream, ++heads[stream], {}, {}};
    e.event.type = troupe::SchemaId{random_.below(3)};
    e.event.type_name = "Event";
    e.event.data = {n, e.position};
    if (n % 3 == 0) e.event.tags = {"third", "tag-" + std::to_string(n)};
    if (n % 5 == 0) e.event.tags = {"fifth", "fifth"};
    events.push_back(e);
    return e;
  }
  template <class Is>
  [[nodiscard]] std::vector<Position> positions(const Is& is, Position after = 0,
                                                std::size_t max = all) const {
    std::vector<Position> found;
    for (const StoredEvent& e : events)
      if (e.position > after && found.size() < max && is(e)) found.push_back(e.position);
    return found;
  }

  std::vector<StoredEvent> events;
  std::map<StreamId, Version> heads;

 private:
  troupe::Random random_;
};

void require_same(const Index& index, const Model& model) {
  REQUIRE(index.last_position() == model.events.size());
  for (const auto& [stream, head] : model.heads) {
    CAPTURE(stream.name());
    REQUIRE(index.head(stream.name()) == head);
    for (const Version after : {Version{0}, head / 3, head / 2, head, head + 1}) {
      for (const std::size_t max : {std::size_t{0}, std::size_t{3}, all}) {
        auto expected = model.positions(
            [&](const auto& e) { return e.stream == stream && e.version > after; }, 0, max);
        REQUIRE(index.positions(stream.name(), after, max) == expected);
      }
    }
  }
  const Position half = model.events.size() / 2;
  for (const Position after : {Position{0}, half, Position{model.events.size()}}) {
    for (const std::size_t max : {std::size_t{5}, all}) {
      REQUIRE(
          index.positions_of(RunKind::category, "odd", after, max) ==
          model.positions([](const auto& e) { return e.stream.category == "odd"; }, after, max));
      REQUIRE(index.positions_of(RunKind::tag, "third", after, max) ==
              model.positions(
                  [](const auto& e) { return !e.event.tags.empty() && e.event.tags[0] == "third"; },
                  after, max));
      REQUIRE(index.positions_of(RunKind::tag, "fifth", after, max) ==
              model.positions(
                  [](const auto& e) { return !e.event.tags.empty() && e.event.tags[0] == "fifth"; },
                  after, max));
      REQUIRE(
          index.positions_of(RunKind::type, sqlite::type_key(troupe::SchemaId{2}), after, max) ==
          model.positions([](const auto& e) { return e.event.type.value == 2; }, after, max));
    }
  }
  REQUIRE(index.head("no/such") == 0);
  REQUIRE(index.positions("no/such", 0, all).empty());
}

}  // namespace

TEST_CASE("F8 what is folded and what is not is found as one", "[persistence][sqlite]") {
  const TemporaryFolder folder;
  const std::uint64_t seed = from_environment("TROUPE_SEED", troupe::random_seed());
  CAPTURE(seed);
  Model model(seed);
  const FileName name{folder.file("index"), ""};
  auto index = std::make_unique<Index>(name, history, sqlite::Folded{}, 32);
  for (int n = 1; n <= 500; ++n) {
    index->add(model.next());
    index->add_command(n, "even/2", "command-" + std::to_string(n));
    if (n % 100 == 50) index->fold();
    if (n % 125 == 0) require_same(*index, model);
    if (n == 300) {  // its process starts again: the file has what was folded, the journal the rest
      index.reset();
      index = std::make_unique<Index>(name, history, sqlite::Folded{300, 300}, 32);
      REQUIRE(index->last_position() == 96);
      for (Position p = 97; p <= 300; ++p) index->add(model.events[p - 1]);
      for (std::int64_t row = index->last_row() + 1; row <= 300; ++row)
        index->add_command(row, "even/2", "command-" + std::to_string(row));
    }
  }
  while (index->fold()) {
  }
  require_same(*index, model);
  REQUIRE(index->command("even/2", "command-7") == 7);
  REQUIRE(index->command("even/2", "command-500") == 500);
  REQUIRE(index->command("even/2", "command-501") == std::nullopt);
  REQUIRE(index->command("even/3", "command-7") == std::nullopt);
}

namespace {

/// A closed journal, of which most is folded.
void write_journal(const std::string& path, Model& model) {
  SqliteOptions options{path};
  options.index_events = 32;
  const auto store = open_sqlite(options);
  const Claim claim = store->claim(0);
  for (int batch = 0; batch < 20; ++batch) {
    std::vector<StoredEvent> events;
    for (int n = 0; n < 15; ++n) events.push_back(model.next());
    const CommandRecord command{events[0].stream, "c" + std::to_string(batch), 1, 1, 1, {}};
    REQUIRE(std::holds_alternative<BatchWritten>(
        store->append({0, claim.epoch, events, std::span(&command, 1)})));
    store->maintain();
  }
}
std::shared_ptr<Store> reopened(const std::string& path) {
  SqliteOptions options{path};
  options.index_events = 32;
  return open_sqlite(options);
}
/// All that the store says is what was written.
bool is_same(Store& store, const Model& model) {
  if (store.read_slice(0, 0, all) != model.events) return false;
  for (const auto& [stream, head] : model.heads) {
    if (store.head(stream) != head) return false;
    std::vector<StoredEvent> events;
    for (const StoredEvent& e : model.events)
      if (e.stream == stream) events.push_back(e);
    if (store.read_stream(stream, 0, all) != events) return false;
  }
  return true;
}
std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void put(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace

TEST_CASE("F8 an index that is missing, damaged or of another journal is made anew",
          "[persistence][sqlite]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("journal.db");
  Model model(1);
  write_journal(path, model);
  const auto require_whole = [&] { REQUIRE(is_same(*reopened(path), model)); };
  require_whole();
  SECTION("missing") {
    fs::remove(path + "-index");
  }
  SECTION("another program's") {
    put(path + "-index", "a letter");
  }
  SECTION("a row is missing") {
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open((path + "-index").c_str(), &database) == SQLITE_OK);
    REQUIRE(sqlite3_exec(database, "DELETE FROM run WHERE kind=0 AND key='even/2'", nullptr,
                         nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
  }
  SECTION("of another journal") {
    const std::string other = folder.file("other.db");
    Model others(2);
    write_journal(other, others);
    fs::copy_file(other + "-index", path + "-index", fs::copy_options::overwrite_existing);
  }
  require_whole();
  require_whole();
}

TEST_CASE("F8 a journal that is shorter than its index has lost something",
          "[persistence][sqlite]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("journal.db");
  Model model(1);
  write_journal(path, model);
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
  REQUIRE(sqlite3_exec(database, "DELETE FROM event WHERE position>100", nullptr, nullptr,
                       nullptr) == SQLITE_OK);
  sqlite3_close(database);
  REQUIRE_THROWS_WITH(reopened(path), Catch::Contains("something is lost"));
  fs::remove(path + "-index");
  REQUIRE(reopened(path)->read_slice(0, 0, all).size() == 100);
}

TEST_CASE("DISK9 a flipped bit of the journal or its index is found out or does no harm",
          "[persistence][sqlite]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("journal.db");
  const std::uint64_t seed = from_environment("TROUPE_SEED", troupe::random_seed());
  const std::uint64_t flips = from_environment("TROUPE_FLIPS", 500);
  CAPTURE(seed);
  Model model(seed);
  write_journal(path, model);
  const std::map<std::string, std::string> whole{{path, contents(path)},
                                                 {path + "-index", contents(path + "-index")}};
  REQUIRE(whole.at(path + "-index").size() > 10'000);
  troupe::Random random(seed);
  std::map<std::string, int> reported;
  int harmless = 0;
  for (std::uint64_t n = 0; n < flips; ++n) {
    const std::string& flipped = n % 2 == 0 ? path : path + "-index";
    for (const auto& [name, bytes] : whole) put(name, bytes);
    for (const char* const end : {"-wal", "-shm", "-index-wal", "-index-shm"})
      fs::remove(path + end);
    std::string bytes = whole.at(flipped);
    const std::size_t bit = random.below(bytes.size() * 8);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    put(flipped, bytes);
    CAPTURE(flipped, bit);
    try {
      const bool reads_right = is_same(*reopened(path), model);
      REQUIRE(reads_right);
      ++harmless;
    } catch (const StoreCorrupt&) {
      ++reported[flipped];
    } catch (const StoreFailed&) {  // its header says something else
      ++reported[flipped];
    }
  }
  WARN(flips << " flips in the journal and its index by turns: " << reported[path] << " and "
             << reported[path + "-index"] << " reported, " << harmless
             << " harmless or made anew, none read wrongly");
}
