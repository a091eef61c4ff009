// A journal in a SQLite file.
//
// Design. One connection writes, on the sequencer's thread; another one reads, under a lock, beside
// it; a third one writes the log into the database, when `maintain` is called, which folds the
// index too. A batch is one transaction: it looks at the slice's epoch, inserts, and commits, which
// syncs the log (WAL, synchronous=FULL). What fails before the commit was not written. A commit
// that fails in reading or writing the disk leaves nobody knowing what is there, and a log that
// can't be written into the database neither: a later sync that succeeds proves nothing (the kernel
// may have dropped the pages), so the store is of no use until it is opened anew.
#include <troupe/persistence_sqlite/sqlite_store.hpp>

#include <atomic>
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
#include "snapshot_file.hpp"
#include "wal_scan.hpp"

namespace troupe::persistence {

using sqlite::Database;
using sqlite::InUse;
using sqlite::SqliteError;
using sqlite::Statement;
using troupe::detail::mutant;

namespace {

constexpr int writing = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

constexpr std::size_t deleted_at_a_time = 1000;
// Of log_pages: from there on the log is emptied, and from there on by the writer itself.
constexpr int emptied_from = 8;
constexpr int written_to = 32;

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

/// Why nothing is written any more. Thread safety: any thread.
class Failure {
 public:
  /// The first one stays.
  void set(const std::string& why) {
    const std::lock_guard guard(lock_);
    if (why_.empty()) why_ = why;
  }
  /// Empty: it goes on.
  [[nodiscard]] std::string why() const {
    const std::lock_guard guard(lock_);
    return why_;
  }

 private:
  mutable std::mutex lock_;
  std::string why_;
};

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(const SqliteOptions& options)
      : path_(options.path),
        name_{options.path, options.layer},
        copied_from_(options.log_pages),
        lock_file_(lock_of(options)),
        is_alone_(lock_file_ || (!options.layer.empty() && !options.take_over)),
        writer_(scanned(name_, is_alone_), writing),
        reader_(made(writer_, name_)),
        keeper_(name_, SQLITE_OPEN_READWRITE) {
    for (Database* d : {&writer_, &reader_, &keeper_}) d->leave_log_when_closed();
    if (is_alone_) keeper_.checkpoint(SQLITE_CHECKPOINT_TRUNCATE);  // nothing torn is left behind
    for (Database* d : {&writer_, &keeper_}) d->count_log_pages(log_pages_);
    history_ = sqlite::history_of(writer_);
    prepare();
    const std::lock_guard guard(reading_);
    index_.emplace(sqlite::FileName{path_ + "-index", options.layer}, history_, ends(),
                   options.index_events);
    catch_up();
    snapshots_.emplace(sqlite::FileName{snapshots_path(), options.layer}, history_);
  }
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;
  ~SqliteStore() override;

  [[nodiscard]] HistoryId history() override { return history_; }
  [[nodiscard]] std::uint32_t slices() override { return 1; }
  [[nodiscard]] std::string durability() const override {
    return "a crash of the process, and a loss of power";
  }
  [[nodiscard]] bool is_in_memory() const noexcept override { return !name_.layer.empty(); }
  [[nodiscard]] bool wants_maintenance() const override {
    return log_pages_ >= copied_from_ || index_->wants_folding();
  }
  void maintain() override;
  Claim claim(std::uint32_t slice) override;
  BatchOutcome append(const Batch& batch) override;
  [[nodiscard]] Version head(const StreamId& stream) override {
    return translated(path_, [&] { return index_->head(stream.name()); });
  }
  [[nodiscard]] std::optional<CommandRecord> command(const StreamId& stream,
                                                     const CommandId& command) override;
  [[nodiscard]] std::vector<StoredEvent> read_stream(const StreamId& stream, Version after,
                                                     std::size_t max) override;
  [[nodiscard]] std::vector<StoredEvent> read_slice(std::uint32_t slice, Position after,
                                                    std::size_t max) override;
  void put_snapshot(const StoredSnapshot& snapshot) override {
    translated(snapshots_path(), [&] { snapshots_->put(snapshot); });
  }
  [[nodiscard]] std::optional<StoredSnapshot> snapshot(const StreamId& stream,
                                                       Version at_most) override {
    return translated(snapshots_path(), [&] { return snapshots_->newest(stream, at_most); });
  }
  void delete_snapshots(const StreamId& stream, Version below) override {
    translated(snapshots_path(), [&] { snapshots_->remove(stream, below); });
  }
  void delete_events(const StreamId& stream, Version up_to) override;

 private:
  [[nodiscard]] std::string snapshots_path() const { return path_ + "-snapshots"; }
  template <class F>
  void keep(F f);
  std::size_t delete_some(const StreamId& stream, Version after, std::size_t count);
  static std::optional<sqlite::FileLock> lock_of(const SqliteOptions& options);
  static const sqlite::FileName& scanned(const sqlite::FileName& name, bool is_alone);
  static Database made(Database& writer, const sqlite::FileName& name);
  void prepare();
  [[nodiscard]] sqlite::Folded ends();
  void catch_up();
  void copy_log();
  [[nodiscard]] std::uint64_t epoch_of(std::uint32_t slice);
  void keep_up();
  [[nodiscard]] BatchOutcome write(const Batch& batch);
  void check_order(const Batch& batch) const;
  [[nodiscard]] BatchOutcome commit();
  void roll_back() noexcept;
  [[nodiscard]] BatchOutcome noted(const Batch& batch);
  void note(const Batch& batch);

  const std::string path_;
  const sqlite::FileName name_;
  const int copied_from_;
  const std::optional<sqlite::FileLock> lock_file_;
  const bool is_alone_;
  std::atomic<int> log_pages_ = 0;
  Database writer_;
  Database reader_;
  HistoryId history_;
  std::optional<sqlite::Index> index_;
  std::optional<sqlite::SnapshotFile> snapshots_;
  Failure failure_;

  std::mutex keeping_;
  Database keeper_;

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
  if (options.index_events == 0 || options.log_pages < 1)
    throw UsageError("index_events and log_pages are one at least");
  if (options.path.empty() || options.path[0] == ':')
    throw UsageError("a SQLite journal has the path of a file");
  if (!options.layer.empty()) return std::nullopt;  // who shares that layer says so by take_over
  try {
    return std::make_optional<sqlite::FileLock>(options.path + "-lock");
  } catch (const StoreFailed&) {  // the epoch is what counts, where it is to be taken over
    if (!options.take_over) throw;
    return std::nullopt;
  }
}

/// Before SQLite cuts off what it takes for the end of its log. A log that another process writes
/// was looked at by that one.
const sqlite::FileName& SqliteStore::scanned(const sqlite::FileName& name, bool is_alone) {
  if (is_alone) static_cast<void>(sqlite::scan_wal({name.path + "-wal", name.layer}));
  return name;
}

Database SqliteStore::made(Database& writer, const sqlite::FileName& name) {
  sqlite::make_or_check(writer, name.path);  // before anything of another's file is changed
  writer.use_log(name.path);
  writer.run(mutant("sqlite_does_not_sync") ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=FULL");
  return {name, SQLITE_OPEN_READWRITE};
}

/// The log is written into the database, so that the next one who opens it has less to do.
SqliteStore::~SqliteStore() {
  if (!failure_.why().empty() || !is_alone_) return;
  try {
    keeper_.checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
  } catch (const std::exception&) {  // all is in the log
  }
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

/// Of events and commands.
sqlite::Folded SqliteStore::ends() {
  return {static_cast<Position>(reader_.integer_of("SELECT max(position) FROM event")),
          reader_.integer_of("SELECT max(number) FROM command")};
}

/// Indexes what the file has and the index has not.
void SqliteStore::catch_up() {
  const InUse in_use(*events_after_);
  events_after_->bind(1, static_cast<std::int64_t>(index_->last_position()))
      .bind(2, std::int64_t{-1});
  while (events_after_->step()) {
    index_->add(sqlite::read_event(*events_after_, history_));
    if (index_->is_full()) index_->fold();
  }
  Statement commands = reader_.prepare(
      (std::string(sqlite::command_columns) + " WHERE number>? ORDER BY number").c_str());
  commands.bind(1, index_->last_row());
  while (commands.step()) {
    const CommandRecord c = sqlite::read_command(commands, history_);
    if (commands.integer(0) != index_->last_row() + 1)
      throw StoreCorrupt("command " + std::to_string(index_->last_row() + 1) + " is missing");
    index_->add_command(commands.integer(0), c.stream.name(), c.command);
  }
}

// ---- what is put off

void SqliteStore::maintain() {
  translated(path_, [&] {
    const std::lock_guard guard(keeping_);
    if (log_pages_ >= copied_from_) copy_log();
    while (index_->fold()) {
    }
  });
}

void SqliteStore::copy_log() {
  keep([&] {
    const bool empties = log_pages_ >= emptied_from * copied_from_;
    keeper_.checkpoint(empties ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE);
    log_pages_ = 0;  // the next commit says how many there are
  });
}

/// With the keeper's connection: an error of the disk ends the store.
template <class F>
void SqliteStore::keep(F f) {
  if (const std::string why = failure_.why(); !why.empty()) throw StoreFailed(why);
  try {
    f();
  } catch (const SqliteError& e) {
    if (!is_of_the_batch(e)) failure_.set(path_ + ": " + e.what());
    throw;
  }
}

/// From the newest on, until one is met that is deleted already: those below it are, too.
void SqliteStore::delete_events(const StreamId& stream, Version up_to) {
  const Version last = head(stream);
  if (up_to > last) throw UsageError(beyond_head(stream, up_to, last));
  translated(path_, [&] {
    if (!mutant("events_are_deleted_before_their_snapshot_is_synced")) snapshots_->sync();
    const std::lock_guard guard(keeping_);
    for (std::size_t count = deleted_at_a_time; count == deleted_at_a_time;) {
      count = std::min<std::size_t>(deleted_at_a_time, up_to);
      up_to -= count;
      keep([&] { count = delete_some(stream, up_to, count); });
    }
  });
}

/// How many of them were not deleted before.
std::size_t SqliteStore::delete_some(const StreamId& stream, Version after, std::size_t count) {
  auto events = read_stream(stream, after, count);
  std::erase_if(events, [](const StoredEvent& e) { return e.is_deleted; });
  if (events.empty()) return 0;
  keeper_.run("BEGIN IMMEDIATE");
  try {
    Statement update = keeper_.prepare(sqlite::delete_event_columns);
    for (const StoredEvent& e : events) sqlite::delete_event(update, e, history_);
    keeper_.run("COMMIT");
  } catch (...) {  // goes on
    if (keeper_.is_in_transaction()) keeper_.run("ROLLBACK");
    throw;
  }
  return events.size();
}

// ---- writing

std::uint64_t SqliteStore::epoch_of(std::uint32_t slice) {
  const InUse in_use(*epoch_);
  epoch_->bind(1, std::int64_t{slice});
  if (!epoch_->step()) throw StoreCorrupt("there is no slice " + std::to_string(slice));
  return static_cast<std::uint64_t>(epoch_->integer(0));
}

Claim SqliteStore::claim(std::uint32_t slice) {
  if (const std::string why = failure_.why(); !why.empty()) throw StoreFailed(why);
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
      return {epoch, index_->last_position()};
    } catch (const SqliteError& e) {
      roll_back();
      if (!may_pass(e)) failure_.set(path_ + ": " + e.what());
      throw;
    } catch (...) {  // goes on
      roll_back();
      throw;
    }
  });
}

BatchOutcome SqliteStore::append(const Batch& batch) {
  if (std::string why = failure_.why(); !why.empty()) return BatchNotWritten{std::move(why)};
  try {
    keep_up();
    BatchOutcome outcome = write(batch);
    if (std::holds_alternative<BatchWritten>(outcome)) return noted(batch);
    return outcome;
  } catch (const SqliteError& e) {  // before the commit
    roll_back();
    const std::string what = path_ + ": " + e.what();
    if (!is_of_the_batch(e)) failure_.set(what);
    return BatchNotWritten{what};
  } catch (const StoreFailed& e) {  // no room for more in the log or the index's tail, or no index
    roll_back();
    return BatchNotWritten{e.what()};
  } catch (...) {  // goes on
    roll_back();
    throw;
  }
}

/// Where nobody maintains it, or not quickly enough.
void SqliteStore::keep_up() {
  if (index_->is_full() || log_pages_ >= written_to * copied_from_) maintain();
}

/// A batch that does not follow what is there would make a file that can't be opened any more.
void SqliteStore::check_order(const Batch& batch) const {
  std::unordered_map<std::string, Version> heads;
  Position next = index_->last_position();
  for (const StoredEvent& e : batch.events) {
    const std::string stream = e.stream.name();
    Version& head = heads.try_emplace(stream, index_->head(stream)).first->second;
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
  std::int64_t row = index_->last_row();
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
    if (mutant("failed_sync_counts_as_done")) return BatchWritten{};
    failure_.set(what + "; what is there is known once it is opened anew");
    return BatchUnknown{what};
  }
}

void SqliteStore::roll_back() noexcept {
  try {
    if (writer_.is_in_transaction()) writer_.run("ROLLBACK");
  } catch (const std::exception& e) {  // SQLite itself is at a loss
    failure_.set(path_ + ": " + e.what());
  }
}

/// It is written, whatever becomes of the index in memory; without that nothing follows it.
BatchOutcome SqliteStore::noted(const Batch& batch) {
  try {
    note(batch);
    return BatchWritten{};
  } catch (const std::exception& e) {
    failure_.set(path_ + ": a batch is written, and could not be indexed: " + e.what() +
                 "; open it anew");
    return BatchUnknown{e.what()};
  }
}

void SqliteStore::note(const Batch& batch) {
  for (const StoredEvent& e : batch.events) index_->add(e);
  std::int64_t row = index_->last_row();
  for (const CommandRecord& c : batch.commands)
    index_->add_command(++row, c.stream.name(), c.command);
}

// ---- reading

std::optional<CommandRecord> SqliteStore::command(const StreamId& stream,
                                                  const CommandId& command) {
  const auto row = index_->command(stream.name(), command);
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
  const auto positions = index_->positions(stream.name(), after, max);
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
