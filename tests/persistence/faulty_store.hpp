// A store in memory that does what a test tells it to do wrong.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <troupe/persistence/memory_store.hpp>

namespace troupe::test {

/// Thread safety: as the store that it stands before; what goes wrong is set while nobody calls it.
class FaultyStore final : public persistence::Store {
 public:
  using Append = std::function<persistence::BatchOutcome(const persistence::Batch&)>;
  using Read = std::function<void(std::vector<persistence::StoredEvent>&)>;

  std::shared_ptr<persistence::MemoryStore> real = std::make_shared<persistence::MemoryStore>();
  Append instead_of_append;                                          ///< empty: the real one
  Read after_read;                                                   ///< of a stream; may throw
  Read after_slice_read;                                             ///< may throw
  std::function<void()> before_claim;                                ///< may throw
  std::function<void()> before_head;                                 ///< may throw
  std::function<void()> before_put;                                  ///< of a snapshot; may throw
  std::function<void(persistence::StoredSnapshot&)> after_snapshot;  ///< of reading one
  bool blocks = false;                                               ///< its calls may wait
  std::size_t reads = 0;
  std::size_t largest_read = 0;

  [[nodiscard]] persistence::HistoryId history() override { return real->history(); }
  [[nodiscard]] std::uint32_t slices() override { return real->slices(); }
  [[nodiscard]] std::string durability() const override { return real->durability(); }
  [[nodiscard]] bool is_in_memory() const noexcept override { return !blocks; }
  persistence::Claim claim(std::uint32_t slice) override {
    if (before_claim) before_claim();
    return real->claim(slice);
  }
  persistence::BatchOutcome append(const persistence::Batch& batch) override {
    return instead_of_append ? instead_of_append(batch) : real->append(batch);
  }
  [[nodiscard]] persistence::Version head(const persistence::StreamId& stream) override {
    if (before_head) before_head();
    return real->head(stream);
  }
  [[nodiscard]] std::optional<persistence::CommandRecord> command(
      const persistence::StreamId& stream, const persistence::CommandId& command) override {
    return real->command(stream, command);
  }
  [[nodiscard]] std::vector<persistence::StoredEvent> read_stream(
      const persistence::StreamId& stream, persistence::Version after, std::size_t max) override {
    auto events = real->read_stream(stream, after, max);
    ++reads;
    largest_read = std::max(largest_read, events.size());
    if (after_read) after_read(events);
    return events;
  }
  [[nodiscard]] std::vector<persistence::StoredEvent> read_slice(std::uint32_t slice,
                                                                 persistence::Position after,
                                                                 std::size_t max) override {
    auto events = real->read_slice(slice, after, max);
    if (after_slice_read) after_slice_read(events);
    return events;
  }
  void put_snapshot(const persistence::StoredSnapshot& snapshot) override {
    if (before_put) before_put();
    real->put_snapshot(snapshot);
  }
  [[nodiscard]] std::optional<persistence::StoredSnapshot> snapshot(
      const persistence::StreamId& stream, persistence::Version at_most) override {
    auto read = real->snapshot(stream, at_most);
    if (after_snapshot && read) after_snapshot(*read);
    return read;
  }
  void delete_snapshots(const persistence::StreamId& stream, persistence::Version below) override {
    real->delete_snapshots(stream, below);
  }
  void delete_events(const persistence::StreamId& stream, persistence::Version up_to) override {
    real->delete_events(stream, up_to);
  }
};

}  // namespace troupe::test
