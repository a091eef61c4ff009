// SQLite's connections and statements as values with owners, and its errors as exceptions.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::persistence::sqlite {

/// A file, in the layer of files that SQLite knows by that name (its VFS); empty: the machine's.
struct FileName {
  std::string path;
  std::string layer;
};
/// All of it; empty where there is none. Throws StoreFailed, which names the place, where it can't
/// be read.
[[nodiscard]] std::vector<unsigned char> contents_of(const FileName& name);
/// Throws StoreFailed where nobody can say.
[[nodiscard]] bool exists(const FileName& name);
/// Throws StoreFailed where it is still there.
void delete_file(const FileName& name);

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

  /// SQLITE_TEXT and the like: as it is stored.
  [[nodiscard]] int type(int column) const noexcept {
    return sqlite3_column_type(statement_.get(), column);
  }
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
  Database(const FileName& name, int flags);
  void run(const char* sql);
  [[nodiscard]] std::int64_t integer_of(const char* sql);
  [[nodiscard]] Statement prepare(const char* sql) { return {database_.get(), sql}; }
  /// Throws StoreFailed where it can't have one.
  void use_log(const std::string& path);
  /// The last connection that is closed does not write the log into the database.
  void leave_log_when_closed() noexcept {
    sqlite3_db_config(database_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
  /// The log is written into the database as far as nobody reads it, and that is synced.
  /// SQLITE_CHECKPOINT_TRUNCATE: it is emptied, once nobody reads or writes it.
  void checkpoint(int mode);
  /// Each commit says how many pages the log has, and makes no checkpoint. They outlive this.
  void count_log_pages(std::atomic<int>& pages) noexcept {
    sqlite3_wal_hook(database_.get(), &set_pages, &pages);
  }
  [[nodiscard]] bool is_in_transaction() const noexcept {
    return sqlite3_get_autocommit(database_.get()) == 0;
  }

 private:
  static int set_pages(void* pages, sqlite3*, const char*, int count) noexcept {
    *static_cast<std::atomic<int>*>(pages) = count;
    return SQLITE_OK;
  }
  struct Close {
    void operator()(sqlite3* d) const noexcept { sqlite3_close(d); }
  };
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace troupe::persistence::sqlite
