// A store that is gone with its process: for tests, and for what may be lost.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include <troupe/persistence/store.hpp>

namespace troupe::persistence {

/// Keeps all in memory. Systems may share one, one after the other, as after a restart, or at once.
/// Thread safety: any thread.
class MemoryStore final : public Store {
 public:
  explicit MemoryStore(std::uint32_t slices = 1, HistoryId history = {1, 1});

  [[nodiscard]] HistoryId history() override { return history_; }
  [[nodiscard]] std::uint32_t slices() override {
    return static_cast<std::uint32_t>(slices_.size());
  }
  [[nodiscard]] std::string durability() const override {
    return "nothing: it is gone with its process";
  }
  [[nodiscard]] bool is_in_memory() const noexcept override { return true; }
  Claim claim(std::uint32_t slice) override;
  BatchOutcome append(const Batch& batch) override;
  [[nodiscard]] Version head(const StreamId& stream) override;
  [[nodiscard]] std::optional<CommandRecord> command(const StreamId& stream,
                                                     const CommandId& command) override;
  [[nodiscard]] std::vector<StoredEvent> read_stream(const StreamId& stream, Version after,
                                                     std::size_t max) override;
  [[nodiscard]] std::vector<StoredEvent> read_slice(std::uint32_t slice, Position after,
                                                    std::size_t max) override;
  void put_snapshot(const StoredSnapshot& snapshot) override;
  [[nodiscard]] std::optional<StoredSnapshot> snapshot(const StreamId& stream,
                                                       Version at_most) override;
  void delete_snapshots(const StreamId& stream, Version below) override;
  void delete_events(const StreamId& stream, Version up_to) override;

 private:
  struct Slice {
    std::uint64_t epoch = 0;
    std::vector<StoredEvent> events;  ///< by position
  };
  struct Stream {
    std::vector<Position> positions;  ///< by version
    std::map<CommandId, CommandRecord> commands;
    std::map<Version, StoredSnapshot> snapshots;
  };
  [[nodiscard]] Slice& slice_of_stream(const StreamId& stream);
  void check_order(const Slice& slice, const Batch& batch) const;

  std::mutex lock_;
  const HistoryId history_;
  std::vector<Slice> slices_;
  std::map<StreamId, Stream> streams_;
};

}  // namespace troupe::persistence
