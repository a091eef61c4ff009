// The file of snapshots, beside the journal: made when there is the first one.
//
// WAL, synchronous=NORMAL: a snapshot comes to the disk with the next checkpoint, and before events
// are deleted for it. The file is whole after a loss of power, and each row has a checksum. After
// an error it is opened anew, which takes of its log what is whole: what the kernel has of pages
// that could not be synced is anyone's guess.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include <troupe/persistence/snapshot.hpp>

#include "database.hpp"

namespace troupe::persistence::sqlite {

/// Thread safety: any thread. All calls throw SqliteError.
class SnapshotFile {
 public:
  SnapshotFile(FileName name, const HistoryId& history)
      : name_(std::move(name)), history_(history) {}

  void put(const StoredSnapshot& snapshot);
  [[nodiscard]] std::optional<StoredSnapshot> newest(const StreamId& stream, Version at_most);
  void remove(const StreamId& stream, Version below);
  /// All that was put is on the disk.
  void sync();

 private:
  /// False: there is none, and none is to be made.
  bool open(bool makes_it);
  void close() noexcept;
  template <class F>
  auto use(bool makes_it, F f) -> decltype(f());
  [[nodiscard]] StoredSnapshot read(const StreamId& stream) const;

  const FileName name_;
  const HistoryId history_;
  std::mutex lock_;
  std::atomic<int> log_pages_ = 0;
  std::optional<Database> database_;
  std::optional<Statement> put_;
  std::optional<Statement> newest_;
  std::optional<Statement> remove_;
};

}  // namespace troupe::persistence::sqlite
