// Store: what a backend of the journal is. For those who write one; the conformance suite of the
// test kit shows whether it is.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <troupe/persistence/event.hpp>
#include <troupe/persistence/snapshot.hpp>

namespace troupe::persistence {

/// The right to append to a slice. A later claim of it ends this one.
struct Claim {
  std::uint64_t epoch = 0;
  Position head = 0;  ///< of the slice's last event; 0: there is none
};

/// What is written or not as a whole: whole requests of one slice, and what is to be kept of their
/// commands.
struct Batch {
  std::uint32_t slice = 0;
  std::uint64_t epoch = 0;
  std::span<const StoredEvent> events;  ///< their positions follow each other
  std::span<const CommandRecord> commands;
};

/// It is there, and outlives what the store says that it outlives.
struct BatchWritten {};
/// Another claim of the slice is newer: nothing was written.
struct BatchFenced {};
/// Nothing was written, and the next batch may be tried: the disk was full.
struct BatchNotWritten {
  std::string why;
};
/// It may have been written, or may yet be. The claim is of no use any more: who claims the slice
/// anew sees which.
struct BatchUnknown {
  std::string why;
};
using BatchOutcome = std::variant<BatchWritten, BatchFenced, BatchNotWritten, BatchUnknown>;

/// Something stored can't be read, or is not what was written; the text names what and where.
/// Thread safety: as a plain value.
class StoreCorrupt : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// The store can't be reached, opened or read now. Thread safety: as a plain value.
class StoreFailed : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Keeps the events of streams, cut into slices. A stream lies in one slice, which slice_of tells.
/// All calls may block. They throw StoreFailed and StoreCorrupt, append only StoreCorrupt.
/// Thread safety: claim and append of one slice come from one thread at a time; the rest from any
/// thread, also meanwhile.
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  [[nodiscard]] virtual HistoryId history() = 0;
  /// Fixed when the journal was made.
  [[nodiscard]] virtual std::uint32_t slices() = 0;
  /// What an acknowledged event outlives, for people: "a crash of the process".
  [[nodiscard]] virtual std::string durability() const = 0;
  /// Something is put off that `maintain` does. Thread safety: as append.
  [[nodiscard]] virtual bool wants_maintenance() const { return false; }
  /// Does a part of what was put off, and may take long: folds an index, say. Beside all else, from
  /// one thread at a time. What it can't do now it leaves for later, and throws StoreFailed.
  virtual void maintain() {}
  /// Its calls are quick and never wait: they may be made on a worker.
  [[nodiscard]] virtual bool is_in_memory() const noexcept { return false; }

  /// Raises the slice's epoch, waits for the append under way, and reads the head.
  virtual Claim claim(std::uint32_t slice) = 0;
  /// Writes the batch unless the slice's epoch is another one. Returns when it is durable.
  virtual BatchOutcome append(const Batch& batch) = 0;

  /// The version of the stream's last event.
  [[nodiscard]] virtual Version head(const StreamId& stream) = 0;
  [[nodiscard]] virtual std::optional<CommandRecord> command(const StreamId& stream,
                                                             const CommandId& command) = 0;
  /// Events after a version, in order; `max` at most, or fewer than there are only if there are no
  /// more.
  [[nodiscard]] virtual std::vector<StoredEvent> read_stream(const StreamId& stream, Version after,
                                                             std::size_t max) = 0;
  /// Events after a position, in order.
  [[nodiscard]] virtual std::vector<StoredEvent> read_slice(std::uint32_t slice, Position after,
                                                            std::size_t max) = 0;

  // Snapshots are a cache as long as all events are there; one that is lost is no fault.

  /// Keeps a snapshot, instead of one of the same version. It may come to the disk later than the
  /// call returns.
  virtual void put_snapshot(const StoredSnapshot& snapshot) = 0;
  /// The newest of the stream that has no more events than `at_most`. One that is not what was
  /// written says so, and has its stream and version.
  [[nodiscard]] virtual std::optional<StoredSnapshot> snapshot(const StreamId& stream,
                                                               Version at_most) = 0;
  /// Deletes the stream's snapshots that have fewer events than `below`.
  virtual void delete_snapshots(const StreamId& stream, Version below) = 0;
  /// Deletes what the stream's events up to a version say, but not their places; snapshots that
  /// were put before are durable then. Throws UsageError beyond the stream's head.
  virtual void delete_events(const StreamId& stream, Version up_to) = 0;
};

/// Why events up to that version can't be deleted. For stores.
[[nodiscard]] std::string beyond_head(const StreamId& stream, Version up_to, Version head);
/// The slice that a stream lies in: FNV-1a (Fowler, Noll, Vo) of its name, 64 bits. For ever.
[[nodiscard]] std::uint32_t slice_of(const StreamId& stream, std::uint32_t slices) noexcept;

}  // namespace troupe::persistence
