// SQLite's connections and statements as values with owners, and its errors as exceptions.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace troupe::persistence::sqlite {

/// What SQLite says went wrong. Thread safety: as a plain value.
class SqliteError : public std::runtime_error {
 public:
  SqliteError(const std::string& what, int code) : std::runtime_error(what), code_(code) {}
  /// Extended: SQLITE_IOERR_FSYNC.
  [[nodiscard]] int code() const noexcept { return code_; }
  /// Without the extension: SQLITE_IOERR.
  [[nodiscard]] int primary_code() const noexcept { return code_ & 0xff; }

 private:
  int code_;
};

/// Thread safety: one thread at a time.
class Statement {
 public:
  Statement(sqlite3* database, const char* sql);

  /// The parameter of that number, from 1.
  Statement& bind(int at, std::int64_t value);
  Statement& bind(int at, std::string_view text);
  Statement& bind(int at, std::span<const std::byte> bytes);
  /// True: there is a row. After the last it is as new.
  bool step();
  /// For one that gives no rows.
  void run();
  void reset() noexcept;

  [[nodiscard]] std::int64_t integer(int column) const noexcept;
  [[nodiscard]] std::string_view text(int column) const noexcept;  ///< until the next step
  [[nodiscard]] std::span<const std::byte> bytes(int column) const noexcept;  ///< the same

 private:
  [[noreturn]] void fail(int code) const;
  struct Finalize {
    void operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// While it lives a statement is used: whatever happens, it is as new then, and its read is over.
/// Thread safety: as its statement.
class InUse {
 public:
  explicit InUse(Statement& statement) noexcept : statement_(statement) {}
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;
  ~InUse() { statement_.reset(); }

 private:
  Statement& statement_;
};

/// A connection. Thread safety: one thread at a time.
class Database {
 public:
  Database(const std::string& path, int flags);
  void run(const char* sql);
  [[nodiscard]] std::int64_t integer_of(const char* sql);
  [[nodiscard]] Statement prepare(const char* sql) { return {database_.get(), sql}; }
  [[nodiscard]] bool is_in_transaction() const noexcept {
    return sqlite3_get_autocommit(database_.get()) == 0;
  }

 private:
  struct Close {
    void operator()(sqlite3* d) const noexcept { sqlite3_close(d); }
  };
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace troupe::persistence::sqlite
