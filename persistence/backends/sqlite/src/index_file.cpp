#include "index_file.hpp"

#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <troupe/persistence/store.hpp>

namespace troupe::persistence::sqlite {

namespace {

constexpr std::int64_t index_format = 1;
constexpr int log_pages_copied = 1000;

constexpr const char* tables = R"(
CREATE TABLE folded(one INTEGER PRIMARY KEY CHECK(one=1), high INTEGER NOT NULL,
  low INTEGER NOT NULL, position INTEGER NOT NULL, row INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE run(kind INTEGER NOT NULL, key TEXT NOT NULL, last INTEGER NOT NULL,
  positions BLOB NOT NULL, PRIMARY KEY(kind, key, last)) WITHOUT ROWID;
)";

// Positions are kept as differences, seven bits a byte, the last byte of each with its high bit
// clear.
void append_number(std::vector<std::byte>& bytes, std::uint64_t n) {
  for (; n >= 0x80; n >>= 7) bytes.push_back(static_cast<std::byte>(n | 0x80));
  bytes.push_back(static_cast<std::byte>(n));
}
std::vector<std::byte> packed(const std::vector<Position>& positions) {
  std::vector<std::byte> bytes;
  Position before = 0;
  for (const Position p : positions) append_number(bytes, p - std::exchange(before, p));
  return bytes;
}
std::vector<Position> unpacked(std::span<const std::byte> bytes) {
  std::vector<Position> positions;
  Position at = 0;
  std::uint64_t n = 0;
  int shift = 0;
  for (const std::byte b : bytes) {
    n |= (static_cast<std::uint64_t>(b) & 0x7f) << shift;
    shift += 7;
    if ((b & std::byte{0x80}) != std::byte{}) continue;
    positions.push_back(at += n);
    n = 0;
    shift = 0;
  }
  return positions;
}

std::uint64_t checksum_of(RunKind kind, std::string_view key, std::uint64_t last,
                          std::span<const std::byte> positions) {
  std::uint64_t sum = XXH3_64bits_withSeed(key.data(), key.size(), static_cast<XXH64_hash_t>(kind));
  sum = XXH3_64bits_withSeed(&last, sizeof(last), sum);
  return XXH3_64bits_withSeed(positions.data(), positions.size(), sum);
}

std::uint64_t checksum_of(const HistoryId& history, const Folded& folded) {
  const std::uint64_t all[] = {history.high, history.low, folded.position,
                               static_cast<std::uint64_t>(folded.row)};
  return XXH3_64bits(all, sizeof(all));
}

[[noreturn]] void damaged(const FileName& name, const std::string& what) {
  throw StoreCorrupt(name.path + ", the journal's index, is damaged: " + what +
                     ". Open the journal again: it is made anew");
}

}  // namespace

IndexFile::IndexFile(const FileName& name, const HistoryId& history, const Folded& journal_has)
    : name_(name), history_(history) {
  bool made = false;
  try {
    open();
    made = is_of_journal(journal_has);
  } catch (const SqliteError& e) {
    if (e.primary_code() != SQLITE_CORRUPT && e.primary_code() != SQLITE_NOTADB &&
        e.primary_code() != SQLITE_ERROR)  // no such table
      throw;
  }
  if (!made) make();
  writer_->run("PRAGMA synchronous=NORMAL");
  insert_.emplace(writer_->prepare("INSERT INTO run VALUES(?,?,?,?)"));
  update_.emplace(writer_->prepare("UPDATE folded SET position=?, row=?, sum=?"));
  writer_->count_log_pages(log_pages_);
  reader_.emplace(name_, SQLITE_OPEN_READWRITE);
  reader_->leave_log_when_closed();
  last_.emplace(
      reader_->prepare("SELECT last FROM run WHERE kind=? AND key=? ORDER BY last DESC LIMIT 1"));
  runs_after_.emplace(reader_->prepare(
      "SELECT last, positions FROM run WHERE kind=? AND key=? AND last>? ORDER BY last"));
}

/// So that nobody has to keep its log with it.
IndexFile::~IndexFile() {
  if (has_failed_ || !writer_) return;
  try {
    writer_->checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
  } catch (const std::exception&) {  // all is in the log
  }
}

void IndexFile::open() {
  log_pages_ = 0;
  writer_.emplace(name_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  writer_->leave_log_when_closed();
  writer_->use_log(name_.path);
}

/// As it was written, and of this journal.
bool IndexFile::is_of_journal(const Folded& journal_has) {
  if (writer_->integer_of("PRAGMA user_version") != index_format) return false;
  Statement folded = writer_->prepare("SELECT high, low, position, row, sum FROM folded");
  if (!folded.step()) return false;
  const HistoryId its{static_cast<std::uint64_t>(folded.integer(0)),
                      static_cast<std::uint64_t>(folded.integer(1))};
  folded_ = {static_cast<Position>(folded.integer(2)), folded.integer(3)};
  const auto recorded = static_cast<std::uint64_t>(folded.integer(4));
  if (its != history_) return false;
  std::uint64_t sum = checksum_of(history_, folded_);
  Statement runs = writer_->prepare("SELECT kind, key, last, positions FROM run");
  while (runs.step()) {
    // A text that has become a blob of the same bytes would not be found by its key.
    const bool has_types = runs.type(0) == SQLITE_INTEGER && runs.type(1) == SQLITE_TEXT &&
                           runs.type(2) == SQLITE_INTEGER && runs.type(3) == SQLITE_BLOB;
    if (!has_types) return false;
    sum += checksum_of(static_cast<RunKind>(runs.integer(0)), runs.text(1),
                       static_cast<std::uint64_t>(runs.integer(2)), runs.bytes(3));
  }
  if (sum != recorded) return false;
  sum_ = sum - checksum_of(history_, folded_);
  if (folded_.position > journal_has.position || folded_.row > journal_has.row)
    throw StoreCorrupt("the journal ends at event " + std::to_string(journal_has.position) +
                       " and command " + std::to_string(journal_has.row) +
                       ", and its index knows of event " + std::to_string(folded_.position) +
                       " and command " + std::to_string(folded_.row) +
                       ": something is lost. If an older copy was put in its place, delete " +
                       name_.path + " and the -snapshots beside it");
  return true;
}

void IndexFile::make() {
  writer_.reset();
  for (const char* const end : {"", "-wal", "-shm"}) delete_file({name_.path + end, name_.layer});
  open();
  writer_->run("BEGIN IMMEDIATE");
  writer_->run(tables);
  Statement insert = writer_->prepare("INSERT INTO folded VALUES(1, ?, ?, 0, 0, ?)");
  insert.bind(1, static_cast<std::int64_t>(history_.high))
      .bind(2, static_cast<std::int64_t>(history_.low))
      .bind(3, static_cast<std::int64_t>(checksum_of(history_, {})))
      .run();
  writer_->run(("PRAGMA user_version=" + std::to_string(index_format)).c_str());
  writer_->run("COMMIT");
  folded_ = {};
  sum_ = 0;
}

std::uint64_t IndexFile::last(RunKind kind, const std::string& key) {
  check();
  const std::lock_guard guard(reading_);
  const InUse in_use(*last_);
  last_->bind(1, static_cast<std::int64_t>(kind)).bind(2, std::string_view(key));
  return last_->step() ? static_cast<std::uint64_t>(last_->integer(0)) : 0;
}

std::vector<Position> IndexFile::positions(RunKind kind, const std::string& key,
                                           std::uint64_t after, std::size_t max) {
  check();
  const std::lock_guard guard(reading_);
  const InUse in_use(*runs_after_);
  runs_after_->bind(1, static_cast<std::int64_t>(kind))
      .bind(2, std::string_view(key))
      .bind(3, static_cast<std::int64_t>(after));
  std::vector<Position> found;
  std::uint64_t next = after + 1;  // version of a stream
  while (found.size() < max && runs_after_->step()) {
    const auto last = static_cast<std::uint64_t>(runs_after_->integer(0));
    const std::vector<Position> run = unpacked(runs_after_->bytes(1));
    if (run.size() > last) damaged(name_, "a run of " + key + " is too long");
    for (std::size_t i = 0; i < run.size() && found.size() < max; ++i) {
      const std::uint64_t number = kind == RunKind::stream ? last - (run.size() - 1 - i) : run[i];
      if (number <= after) continue;
      if (kind == RunKind::stream && number != next++)
        damaged(name_, "version " + std::to_string(next - 1) + " of " + key + " is missing");
      found.push_back(run[i]);
    }
  }
  return found;
}

void IndexFile::write(const std::vector<Run>& runs, const Folded& to) {
  check();
  if (log_pages_ >= log_pages_copied) copy_log();
  writer_->run("BEGIN IMMEDIATE");
  std::uint64_t sum = sum_;
  try {
    for (const Run& run : runs) {
      const std::vector<std::byte> positions = packed(run.positions);
      insert_->bind(1, static_cast<std::int64_t>(run.kind))
          .bind(2, std::string_view(run.key))
          .bind(3, static_cast<std::int64_t>(run.last))
          .bind(4, std::span(positions))
          .run();
      sum += checksum_of(run.kind, run.key, run.last, positions);
    }
    update_->bind(1, static_cast<std::int64_t>(to.position))
        .bind(2, to.row)
        .bind(3, static_cast<std::int64_t>(sum + checksum_of(history_, to)))
        .run();
    writer_->run("COMMIT");
  } catch (...) {  // goes on
    if (writer_->is_in_transaction()) writer_->run("ROLLBACK");
    throw;
  }
  folded_ = to;
  sum_ = sum;
}

/// As the journal's: where that fails nobody knows what is there.
void IndexFile::copy_log() {
  try {
    writer_->checkpoint(SQLITE_CHECKPOINT_PASSIVE);
    log_pages_ = 0;
  } catch (const SqliteError& e) {
    if (e.primary_code() == SQLITE_IOERR) has_failed_ = true;
    throw;
  }
}

void IndexFile::check() const {
  if (has_failed_)
    throw StoreFailed(name_.path +
                      ", the journal's index, could not be synced: open the journal again");
}

}  // namespace troupe::persistence::sqlite
