#include "database.hpp"

#include <algorithm>
#include <cstddef>

#include <troupe/persistence/store.hpp>
#include <troupe/runtime/error.hpp>

namespace troupe::persistence::sqlite {

namespace {
constexpr int busy_ms_max = 5000;

const char* or_null(const std::string& layer) noexcept {
  return layer.empty() ? nullptr : layer.c_str();
}
sqlite3_vfs& layer_of(const FileName& name) {
  sqlite3_vfs* const layer = sqlite3_vfs_find(or_null(name.layer));
  if (layer == nullptr) throw UsageError("SQLite knows no layer of files named " + name.layer);
  return *layer;
}

/// A file that is read as it is, beside SQLite.
class PlainFile {
 public:
  PlainFile(sqlite3_vfs& layer, const FileName& name)
      : file_(static_cast<std::size_t>(layer.szOsFile)) {
    path_.resize(static_cast<std::size_t>(layer.mxPathname) + 1);
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB;
    if (layer.xFullPathname(&layer, name.path.c_str(), static_cast<int>(path_.size()),
                            path_.data()) != SQLITE_OK ||
        layer.xOpen(&layer, path_.data(), get(), flags, &flags) != SQLITE_OK)
      throw StoreFailed(name.path + " can't be opened");
  }
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;
  ~PlainFile() { get()->pMethods->xClose(get()); }
  [[nodiscard]] sqlite3_file* get() noexcept {
    return reinterpret_cast<sqlite3_file*>(file_.data());
  }

 private:
  std::vector<std::max_align_t> file_;  // larger than asked for
  std::string path_;
};

[[noreturn]] void fail_of(sqlite3* database, int code, const std::string& doing) {
  throw SqliteError(doing + ": " + sqlite3_errmsg(database), code);
}
}  // namespace

bool exists(const FileName& name) {
  sqlite3_vfs& layer = layer_of(name);
  int is_there = 0;
  if (layer.xAccess(&layer, name.path.c_str(), SQLITE_ACCESS_EXISTS, &is_there) != SQLITE_OK)
    throw StoreFailed(name.path + ": nobody can say whether it is there");
  return is_there != 0;
}

std::vector<unsigned char> contents_of(const FileName& name) {
  sqlite3_vfs& layer = layer_of(name);
  if (!exists(name)) return {};
  PlainFile file(layer, name);
  sqlite3_int64 size = 0;
  if (file.get()->pMethods->xFileSize(file.get(), &size) != SQLITE_OK)
    throw StoreFailed(name.path + ": its size can't be read");
  std::vector<unsigned char> bytes(static_cast<std::size_t>(size));
  constexpr std::size_t at_a_time = std::size_t{1} << 20;
  for (std::size_t at = 0; at < bytes.size(); at += at_a_time) {
    const auto count = static_cast<int>(std::min(at_a_time, bytes.size() - at));
    if (file.get()->pMethods->xRead(file.get(), &bytes[at], count,
                                    static_cast<sqlite3_int64>(at)) != SQLITE_OK)
      throw StoreFailed(name.path + ": " + std::to_string(count) + " bytes at " +
                        std::to_string(at) + " can't be read");
  }
  return bytes;
}

void delete_file(const FileName& name) {
  sqlite3_vfs& layer = layer_of(name);
  const int code = layer.xDelete(&layer, name.path.c_str(), 0);
  if (code != SQLITE_OK && code != SQLITE_IOERR_DELETE_NOENT)
    throw StoreFailed(name.path + " can't be deleted");
}

Statement::Statement(sqlite3* database, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  statement_.reset(statement);
  if (code != SQLITE_OK) fail_of(database, sqlite3_extended_errcode(database), sql);
}

void Statement::fail(int code) const {
  sqlite3* const database = sqlite3_db_handle(statement_.get());
  fail_of(database, code, sqlite3_sql(statement_.get()));
}

Statement& Statement::bind(int at, std::int64_t value) {
  if (const int code = sqlite3_bind_int64(statement_.get(), at, value); code != SQLITE_OK)
    fail(code);
  return *this;
}
Statement& Statement::bind(int at, std::string_view text) {
  const int code = sqlite3_bind_text64(statement_.get(), at, text.data(), text.size(),
                                       SQLITE_STATIC, SQLITE_UTF8);
  if (code != SQLITE_OK) fail(code);
  return *this;
}
Statement& Statement::bind(int at, std::span<const std::byte> bytes) {
  const void* const data = bytes.empty() ? "" : static_cast<const void*>(bytes.data());
  const int code = sqlite3_bind_blob64(statement_.get(), at, data, bytes.size(), SQLITE_STATIC);
  if (code != SQLITE_OK) fail(code);
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  const int extended = sqlite3_extended_errcode(sqlite3_db_handle(statement_.get()));
  if (code != SQLITE_DONE) {
    const std::string what = std::string(sqlite3_sql(statement_.get())) + ": " +
                             sqlite3_errmsg(sqlite3_db_handle(statement_.get()));
    reset();
    throw SqliteError(what, extended);
  }
  reset();
  return false;
}
void Statement::run() {
  while (step()) {
  }
}
void Statement::reset() noexcept {
  sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int column) const noexcept {
  return sqlite3_column_int64(statement_.get(), column);
}
std::string_view Statement::text(int column) const noexcept {
  const auto* const data = sqlite3_column_text(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {reinterpret_cast<const char*>(data),
          static_cast<std::size_t>(data != nullptr ? size : 0)};
}
std::span<const std::byte> Statement::bytes(int column) const noexcept {
  const auto* const data =
      static_cast<const std::byte*>(sqlite3_column_blob(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {data, static_cast<std::size_t>(data != nullptr ? size : 0)};
}

Database::Database(const FileName& name, int flags) {
  sqlite3* database = nullptr;
  const int code =
      sqlite3_open_v2(name.path.c_str(), &database,
                      flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, or_null(name.layer));
  database_.reset(database);
  if (code != SQLITE_OK) fail_of(database, code, "opening " + name.path);
  sqlite3_busy_timeout(database, busy_ms_max);
  // Until it has a log: that a rollback journal was deleted is synced, too. One that comes back
  // would take back what was written since.
  run("PRAGMA synchronous=EXTRA");
}

void Database::run(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail_of(database_.get(), code, sql);
}

void Database::use_log(const std::string& path) {
  prepare("PRAGMA journal_mode=WAL").run();  // what goes wrong is said behind the row
  if (Statement mode = prepare("PRAGMA journal_mode"); !mode.step() || mode.text(0) != "wal")
    throw StoreFailed(path + " can't have a write-ahead log where it lies");
}

void Database::checkpoint(int mode) {
  static_cast<void>(integer_of(
      "SELECT count(*) FROM sqlite_schema"));  // one that has read nothing knows of no log
  const int code = sqlite3_wal_checkpoint_v2(database_.get(), "main", mode, nullptr, nullptr);
  if (code != SQLITE_OK) fail_of(database_.get(), code, "writing the log into the database");
}

std::int64_t Database::integer_of(const char* sql) {
  Statement s = prepare(sql);
  return s.step() ? s.integer(0) : 0;
}

}  // namespace troupe::persistence::sqlite
