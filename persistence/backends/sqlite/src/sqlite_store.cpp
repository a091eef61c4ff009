// A journal in a SQLite file.
//
// Design. One connection writes, on the sequencer's thread; another one reads, under a lock, beside
// it. A batch is one transaction: it looks at the slice's epoch, inserts, and commits, which syncs
// the log (WAL, synchronous=FULL). What fails before the commit was not written. A commit that
// fails in reading or writing the disk leaves nobody knowing what is there: a later sync that
// succeeds proves nothing (the kernel may have dropped the pages), so the store is of no use until
// it is opened anew.
#include <troupe/persistence_sqlite/sqlite_store.hpp>

#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>
#include <troupe/runtime/error.hpp>

#include "database.hpp"
#include "file_lock.hpp"
#include "index.hpp"
#include "journal_file.hpp"
#include "wal_scan.hpp"

namespace troupe::persistence {

using sqlite::Database;
using sqlite::InUse;
using sqlite::SqliteError;
using sqlite::Statement;
using troupe::detail::mutant;

namespace {

constexpr int writing = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

/// It passes: the disk is full, or another process writes.
bool may_pass(const SqliteError& e) noexcept {
  return e.primary_code() == SQLITE_FULL || e.primary_code() == SQLITE_BUSY;
}
/// Before a commit also: it is this batch's own.
bool is_of_the_batch(const SqliteError& e) noexcept {
  return may_pass(e) || e.primary_code() == SQLITE_NOMEM || e.primary_code() == SQLITE_TOOBIG;
}

/// What SQLite can't do now, and what it finds damaged.
template <class F>
auto translated(const std::string& path, F f) {
  try {
    return f();
  } catch (const SqliteError& e) {
    const std::string what = path + ": " + e.what();
    if (e.primary_code() == SQLITE_CORRUPT || e.primary_code() == SQLITE_NOTADB)
      throw StoreCorrupt(what);
    throw StoreFailed(what);
  } catch (const StoreCorrupt& e) {
    throw StoreCorrupt(path + ": " + e.what());
  }
}

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(const SqliteOptions& options)
      : path_(options.path),
        lock_file_(lock_of(options)),
        writer_(scanned(path_, lock_file_.has_value()), writing),
        reader_(made(writer_, path_)) {
    if (lock_file_) writer_.run("PRAGMA wal_checkpoint(TRUNCATE)");  // nothing torn is left behind
    history_ = sqlite::history_of(writer_);
    prepare();
    const std::lock_guard guard(reading_);
    catch_up();
  }

  [[nodiscard]] HistoryId history() override { return history_; }
  [[nodiscard]] std::uint32_t slices() override { return 1; }
  [[nodiscard]] std::string durability() const override {
    return "a crash of the process, and a loss of power";
  }
  Claim claim(std::uint32_t slice) override;
  BatchOutcome append(const Batch& batch) override;
  [[nodiscard]] Version head(const StreamId& stream) override { return index_.head(stream.name()); }
  [[nodiscard]] std::optional<CommandRecord> command(const StreamId& stream,
                                                     const CommandId& command) override;
  [[nodiscard]] std::vector<StoredEvent> read_stream(const StreamId& stream, Version after,
                                                     std::size_t max) override;
  [[nodiscard]] std::vector<StoredEvent> read_slice(std::uint32_t slice, Position after,
                                                    std::size_t max) override;

 private:
  static std::optional<sqlite::FileLock> lock_of(const SqliteOptions& options);
  static const std::string& scanned(const std::string& path, bool is_alone);
  static Database made(Database& writer, const std::string& path);
  void prepare();
  void catch_up();
  [[nodiscard]] std::uint64_t epoch_of(std::uint32_t slice);
  [[nodiscard]] BatchOutcome write(const Batch& batch);
  void check_order(const Batch& batch) const;
  [[nodiscard]] BatchOutcome commit();
  void roll_back() noexcept;
  void note(const Batch& batch);

  const std::string path_;
  const std::optional<sqlite::FileLock> lock_file_;
  Database writer_;
  Database reader_;
  HistoryId history_;
  sqlite::Index index_;
  std::string failed_;  ///< the sequencer's: why nothing is written any more

  // The writer's:
  std::optional<Statement> epoch_;
  std::optional<Statement> insert_event_;
  std::optional<Statement> insert_command_;
  // The reader's:
  std::mutex reading_;
  std::optional<Statement> event_at_;
  std::optional<Statement> events_after_;
  std::optional<Statement> command_at_;
};

std::optional<sqlite::FileLock> SqliteStore::lock_of(const SqliteOptions& options) {
  if (options.path.empty() || options.path[0] == ':')
    throw UsageError("a SQLite journal has the path of a file");
  try {
    return std::make_optional<sqlite::FileLock>(options.path + "-lock");
  } catch (const StoreFailed&) {  // the epoch is what counts, where it is to be taken over
    if (!options.take_over) throw;
    return std::nullopt;
  }
}

/// Before SQLite cuts off what it takes for the end of its log. A log that another process writes
/// was looked at by that one.
const std::string& SqliteStore::scanned(const std::string& path, bool is_alone) {
  if (is_alone) static_cast<void>(sqlite::scan_wal(path + "-wal"));
  return path;
}

Database SqliteStore::made(Database& writer, const std::string& path) {
  sqlite::make_or_check(writer, path);  // before anything of another program's file is changed
  if (Statement mode = writer.prepare("PRAGMA journal_mode=WAL");
      !mode.step() || mode.text(0) != "wal")
    throw StoreFailed(path + " can't have a write-ahead log where it lies");
  writer.run("PRAGMA synchronous=FULL");
  return {path, SQLITE_OPEN_READWRITE};
}

void SqliteStore::prepare() {
  epoch_.emplace(writer_.prepare("SELECT epoch FROM slice WHERE slice=?"));
  insert_event_.emplace(writer_.prepare(sqlite::insert_event));
  insert_command_.emplace(writer_.prepare(sqlite::insert_command));
  const std::string event = sqlite::event_columns;
  event_at_.emplace(reader_.prepare((event + " WHERE position=?").c_str()));
  events_after_.emplace(
      reader_.prepare((event + " WHERE position>? ORDER BY position LIMIT ?").c_str()));
  command_at_.emplace(
      reader_.prepare((std::string(sqlite::command_columns) + " WHERE number=?").c_str()));
}

/// Indexes what the file has and the index has not.
void SqliteStore::catch_up() {
  const InUse in_use(*events_after_);
  events_after_->bind(1, static_cast<std::int64_t>(index_.last_position()))
      .bind(2, std::int64_t{-1});
  while (events_after_->step()) {
    const StoredEvent e = sqlite::read_event(*events_after_, history_);
    index_.add(e.position, e.stream.name(), e.version);
  }
  Statement commands = reader_.prepare(
      (std::string(sqlite::command_columns) + " WHERE number>? ORDER BY number").c_str());
  commands.bind(1, index_.last_row());
  while (commands.step()) {
    const CommandRecord c = sqlite::read_command(commands, history_);
    if (commands.integer(0) != index_.last_row() + 1)
      throw StoreCorrupt("command " + std::to_string(index_.last_row() + 1) + " is missing");
    index_.add_command(commands.integer(0), c.stream.name(), c.command);
  }
}

// ---- writing

std::uint64_t SqliteStore::epoch_of(std::uint32_t slice) {
  const InUse in_use(*epoch_);
  epoch_->bind(1, std::int64_t{slice});
  if (!epoch_->step()) throw StoreCorrupt("there is no slice " + std::to_string(slice));
  return static_cast<std::uint64_t>(epoch_->integer(0));
}

Claim SqliteStore::claim(std::uint32_t slice) {
  if (!failed_.empty()) throw StoreFailed(failed_);
  return translated(path_, [&]() -> Claim {
    roll_back();
    writer_.run("BEGIN IMMEDIATE");
    try {
      Statement raise = writer_.prepare("UPDATE slice SET epoch=epoch+1 WHERE slice=?");
      raise.bind(1, std::int64_t{slice}).run();
      const std::uint64_t epoch = epoch_of(slice);
      writer_.run("COMMIT");
      const std::lock_guard guard(reading_);
      catch_up();
      return {epoch, index_.last_position()};
    } catch (const SqliteError& e) {
      roll_back();
      if (!may_pass(e)) failed_ = path_ + ": " + e.what();
      throw;
    } catch (...) {  // goes on
      roll_back();
      throw;
    }
  });
}

BatchOutcome SqliteStore::append(const Batch& batch) {
  if (!failed_.empty()) return BatchNotWritten{failed_};
  try {
    BatchOutcome outcome = write(batch);
    if (std::holds_alternative<BatchWritten>(outcome)) note(batch);
    return outcome;
  } catch (const SqliteError& e) {  // before the commit
    roll_back();
    const std::string what = path_ + ": " + e.what();
    if (!is_of_the_batch(e)) failed_ = what;
    return BatchNotWritten{what};
  } catch (...) {  // goes on
    roll_back();
    throw;
  }
}

/// A batch that does not follow what is there would make a file that can't be opened any more.
void SqliteStore::check_order(const Batch& batch) const {
  std::unordered_map<std::string, Version> heads;
  Position next = index_.last_position();
  for (const StoredEvent& e : batch.events) {
    const std::string stream = e.stream.name();
    Version& head = heads.try_emplace(stream, index_.head(stream)).first->second;
    if (e.position != ++next || e.version != ++head)
      throw StoreCorrupt("event " + std::to_string(e.position) + ", version " +
                         std::to_string(e.version) + " of " + stream +
                         ", does not follow the last one");
  }
}

BatchOutcome SqliteStore::write(const Batch& batch) {
  writer_.run("BEGIN IMMEDIATE");
  if (epoch_of(batch.slice) != batch.epoch && !mutant("sqlite_ignores_the_epoch")) {
    writer_.run("ROLLBACK");
    return BatchFenced{};
  }
  check_order(batch);
  for (const StoredEvent& e : batch.events) sqlite::write_event(*insert_event_, e, history_);
  std::int64_t row = index_.last_row();
  for (const CommandRecord& c : batch.commands)
    sqlite::write_command(*insert_command_, ++row, c, history_);
  return commit();
}

BatchOutcome SqliteStore::commit() {
  try {
    writer_.run("COMMIT");
    return BatchWritten{};
  } catch (const SqliteError& e) {
    const std::string what = path_ + ": " + e.what();
    roll_back();
    if (may_pass(e)) return BatchNotWritten{what};
    failed_ = what + "; what is there is known once it is opened anew";
    return BatchUnknown{what};
  }
}

void SqliteStore::roll_back() noexcept {
  try {
    if (writer_.is_in_transaction()) writer_.run("ROLLBACK");
  } catch (const std::exception& e) {  // SQLite itself is at a loss
    failed_ = path_ + ": " + e.what();
  }
}

void SqliteStore::note(const Batch& batch) {
  for (const StoredEvent& e : batch.events) index_.add(e.position, e.stream.name(), e.version);
  std::int64_t row = index_.last_row();
  for (const CommandRecord& c : batch.commands)
    index_.add_command(++row, c.stream.name(), c.command);
}

// ---- reading

std::optional<CommandRecord> SqliteStore::command(const StreamId& stream,
                                                  const CommandId& command) {
  const auto row = index_.command(stream.name(), command);
  if (!row) return std::nullopt;
  return translated(path_, [&]() -> std::optional<CommandRecord> {
    const std::lock_guard guard(reading_);
    const InUse in_use(*command_at_);
    command_at_->bind(1, *row);
    if (!command_at_->step()) throw StoreCorrupt("command " + std::to_string(*row) + " is missing");
    return sqlite::read_command(*command_at_, history_);
  });
}

std::vector<StoredEvent> SqliteStore::read_stream(const StreamId& stream, Version after,
                                                  std::size_t max) {
  const auto positions = index_.positions(stream.name(), after, max);
  return translated(path_, [&] {
    const std::lock_guard guard(reading_);
    std::vector<StoredEvent> events;
    events.reserve(positions.size());
    for (const Position position : positions) {
      const InUse in_use(*event_at_);
      event_at_->bind(1, static_cast<std::int64_t>(position));
      if (!event_at_->step())
        throw StoreCorrupt("event " + std::to_string(position) + " is missing");
      events.push_back(sqlite::read_event(*event_at_, history_));
    }
    return events;
  });
}

std::vector<StoredEvent> SqliteStore::read_slice(std::uint32_t slice, Position after,
                                                 std::size_t max) {
  if (slice != 0) throw StoreFailed(path_ + " has one slice, whose number is 0");
  constexpr auto most = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  return translated(path_, [&] {
    const std::lock_guard guard(reading_);
    const InUse in_use(*events_after_);
    events_after_->bind(1, static_cast<std::int64_t>(std::min<Position>(after, most)))
        .bind(2, static_cast<std::int64_t>(std::min(max, most)));
    std::vector<StoredEvent> events;
    while (events_after_->step()) {
      events.push_back(sqlite::read_event(*events_after_, history_));
      if (events.back().position != after + events.size())
        throw StoreCorrupt("event " + std::to_string(after + events.size()) + " is missing");
    }
    return events;
  });
}

}  // namespace

std::shared_ptr<Store> open_sqlite(const SqliteOptions& options) {
  return translated(options.path, [&]() -> std::shared_ptr<Store> {
    return std::make_shared<SqliteStore>(options);
  });
}

}  // namespace troupe::persistence
