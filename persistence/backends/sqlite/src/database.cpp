#include "database.hpp"

namespace troupe::persistence::sqlite {

namespace {
constexpr int busy_ms_max = 5000;

[[noreturn]] void fail_of(sqlite3* database, int code, const std::string& doing) {
  throw SqliteError(doing + ": " + sqlite3_errmsg(database), code);
}
}  // namespace

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

Database::Database(const std::string& path, int flags) {
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &database,
                                   flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  database_.reset(database);
  if (code != SQLITE_OK) fail_of(database, code, "opening " + path);
  sqlite3_busy_timeout(database, busy_ms_max);
}

void Database::run(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail_of(database_.get(), code, sql);
}

std::int64_t Database::integer_of(const char* sql) {
  Statement s = prepare(sql);
  return s.step() ? s.integer(0) : 0;
}

}  // namespace troupe::persistence::sqlite
