// Appends of 200-byte events by N writers at once, each waiting for its own: what the disk gives,
// what SQLite gives, and what Troupe's journal does. Usage: journal_bench KIND N SECONDS FOLDER;
// prints events per second.
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <troupe/persistence/persistence.hpp>
#include <troupe/persistence_sqlite/sqlite_store.hpp>

#include "journal/journal.capnp.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using bench::Happened;
using namespace troupe::persistence;  // NOLINT: this file is about nothing else

constexpr std::size_t payload_bytes = 168;  // with its encoding's header some 200

struct Run {
  int writers;
  std::chrono::duration<double> length;
  std::string folder;
};

double events_per_second(std::uint64_t events, Clock::time_point begin) {
  return static_cast<double>(events) / std::chrono::duration<double>(Clock::now() - begin).count();
}

/// One batch of all writers' events after the other, each written and synced.
template <class WriteBatch>
double measure_batches(const Run& run, WriteBatch write_batch) {
  const auto begin = Clock::now();
  std::uint64_t events = 0;
  while (Clock::now() - begin < run.length) {
    write_batch(events);
    events += static_cast<std::uint64_t>(run.writers);
  }
  return events_per_second(events, begin);
}

double raw_file(const Run& run) {
  const int file = open((run.folder + "/raw").c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
  if (file < 0) throw std::runtime_error("the file can't be made");
  const std::vector<char> batch(static_cast<std::size_t>(run.writers) * 200, 'x');
  const double result = measure_batches(run, [&](std::uint64_t) {
    if (write(file, batch.data(), batch.size()) != static_cast<ssize_t>(batch.size()) ||
        fdatasync(file) != 0)
      throw std::runtime_error("the file can't be written");
  });
  close(file);
  return result;
}

void check(int code, sqlite3* database) {
  if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
    throw std::runtime_error(sqlite3_errmsg(database));
}

/// The journal's table of events; with the indexes that streams and commands need, or without.
double raw_sqlite(const Run& run, bool has_indexes) {
  sqlite3* database = nullptr;
  check(sqlite3_open((run.folder + "/raw.db").c_str(), &database), database);
  const auto sql = [&](const char* text) {
    check(sqlite3_exec(database, text, nullptr, nullptr, nullptr), database);
  };
  sql("PRAGMA journal_mode=WAL");
  sql("PRAGMA synchronous=FULL");
  sql("CREATE TABLE event(position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT "
      "NULL, type INTEGER NOT NULL, type_version INTEGER NOT NULL, type_name TEXT NOT NULL, tags "
      "TEXT NOT NULL, recorded_at INTEGER NOT NULL, data BLOB NOT NULL, checksum INTEGER NOT "
      "NULL)");
  if (has_indexes) {
    sql("CREATE UNIQUE INDEX by_stream ON event(stream, version)");
    sql("CREATE INDEX by_type ON event(type)");
  }
  sqlite3_stmt* insert = nullptr;
  check(sqlite3_prepare_v2(database, "INSERT INTO event VALUES(?,?,?,?,?,?,?,?,?,?)", -1, &insert,
                           nullptr),
        database);
  std::vector<std::string> streams;
  for (int w = 0; w < run.writers; ++w) streams.push_back("writer/" + std::to_string(w));
  const std::vector<char> data(payload_bytes, 'x');
  std::int64_t round = 0;
  const double result = measure_batches(run, [&](std::uint64_t position) {
    ++round;
    sql("BEGIN IMMEDIATE");
    for (const std::string& stream : streams) {
      sqlite3_bind_int64(insert, 1, static_cast<std::int64_t>(++position));
      sqlite3_bind_text(insert, 2, stream.c_str(), static_cast<int>(stream.size()), SQLITE_STATIC);
      sqlite3_bind_int64(insert, 3, round);
      sqlite3_bind_int64(insert, 4, 0x77);
      sqlite3_bind_int64(insert, 5, 1);
      sqlite3_bind_text(insert, 6, "bench::Happened", -1, SQLITE_STATIC);
      sqlite3_bind_text(insert, 7, "", 0, SQLITE_STATIC);
      sqlite3_bind_int64(insert, 8, round);
      sqlite3_bind_blob(insert, 9, data.data(), static_cast<int>(data.size()), SQLITE_STATIC);
      sqlite3_bind_int64(insert, 10, round * 7919);
      check(sqlite3_step(insert), database);
      sqlite3_reset(insert);
    }
    sql("COMMIT");
  });
  sqlite3_finalize(insert);
  sqlite3_close(database);
  return result;
}

// ---- Troupe

struct Count {
  using Events = troupe::Events<Happened>;
  void apply(const Happened&) noexcept { ++events; }
  std::uint64_t events = 0;
};
struct Go {};
/// Stores one event after the other.
class Writer final : public troupe::EventSourced<Count, Go> {
 public:
  Writer(int number, std::atomic<std::uint64_t>* stored)
      : EventSourced{{"writer", std::to_string(number)}}, stored_(stored) {
    event_.payload.assign(payload_bytes - 24, std::byte{'x'});
  }
  troupe::Persisted<void> receive(const Go&) {
    return persist_then(event_, [this] {
      stored_->fetch_add(1, std::memory_order_relaxed);
      self().tell(Go{});
    });
  }

 private:
  Happened event_;
  std::atomic<std::uint64_t>* const stored_;
};

double troupe_journal(const Run& run, std::shared_ptr<Store> store) {
  std::atomic<std::uint64_t> stored = 0;
  troupe::System system{{.workers = 1, .log = troupe::no_log()}};
  Journal::open(system, std::move(store));
  for (int w = 0; w < run.writers; ++w) system.spawn<Writer>(w, &stored).tell(Go{});
  while (stored < static_cast<std::uint64_t>(run.writers)) std::this_thread::yield();
  const std::uint64_t before = stored;
  const auto begin = Clock::now();
  std::this_thread::sleep_for(run.length);
  return events_per_second(stored - before, begin);
}

double measure(const std::string& kind, const Run& run) {
  if (kind == "file") return raw_file(run);
  if (kind == "table") return raw_sqlite(run, false);
  if (kind == "indexed") return raw_sqlite(run, true);
  if (kind == "troupe") return troupe_journal(run, open_sqlite({run.folder + "/journal.db"}));
  if (kind == "memory") return troupe_journal(run, std::make_shared<MemoryStore>());
  throw std::runtime_error("there is no " + kind);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("usage: journal_bench file|table|indexed|troupe|memory N SECONDS FOLDER\n", stderr);
    return 2;
  }
  try {
    const Run run{std::atoi(argv[2]), std::chrono::duration<double>(std::atof(argv[3])), argv[4]};
    std::printf("%.0f\n", measure(argv[1], run));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "journal_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
