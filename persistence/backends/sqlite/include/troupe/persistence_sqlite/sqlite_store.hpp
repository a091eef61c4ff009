// A journal in a file: for one process, on one machine.
#pragma once

#include <memory>
#include <string>

#include <troupe/persistence/store.hpp>

namespace troupe::persistence {

struct SqliteOptions {
  std::string path;  ///< of the file; SQLite keeps others beside it, with `-wal` and `-shm` behind,
                     ///< and we `-lock`
  /// Opens it although another process has it: that one is fenced, and appends nothing any more.
  bool take_over = false;
};

/// Opens the journal in that file, or makes one. A batch is acknowledged once it is synced to the
/// disk. One process has it at a time: who opens it while another one has it is turned down.
/// Throws StoreFailed where it can't be opened, is no journal, or is of a later format;
/// StoreCorrupt where it is not what was written. The store's thread safety: as Store.
[[nodiscard]] std::shared_ptr<Store> open_sqlite(const SqliteOptions& options);

}  // namespace troupe::persistence
