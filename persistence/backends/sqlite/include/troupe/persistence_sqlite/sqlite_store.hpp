// A journal in a file: for one process, on one machine.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <troupe/persistence/store.hpp>

namespace troupe::persistence {

struct SqliteOptions {
  /// Of the file. Others lie beside it: `-index` can be deleted and is made anew; `-wal` and `-shm`
  /// are SQLite's and part of it; `-lock` says which process has it.
  std::string path;
  /// Opens it although another process has it: that one is fenced, and appends nothing any more.
  bool take_over = false;
  /// Events that are folded into the index at a time; up to four times as many wait in memory, and
  /// are read when the journal is opened. One at least.
  std::size_t index_events = std::size_t{32} * 1024;
  /// Pages of the log (4 KiB) from which on it is written into the database, beside the writer.
  /// From eight times as many on the writer waits meanwhile, so that the log can be emptied.
  int log_pages = 1000;
  /// SQLite's name of the layer of files that it is in (a VFS); empty: the machine's. In another
  /// one than that there is no lock, and calls are taken for quick: for tests.
  std::string layer = {};
};

/// Opens the journal in that file, or makes one. A batch is acknowledged once it is synced to the
/// disk. One process has it at a time: who opens it while another one has it is turned down.
/// Throws StoreFailed where it can't be opened, is no journal, or is of a later format;
/// StoreCorrupt where it is not what was written. The store's thread safety: as Store.
[[nodiscard]] std::shared_ptr<Store> open_sqlite(const SqliteOptions& options);

}  // namespace troupe::persistence
