#include <troupe/persistence/memory_store.hpp>

#include <algorithm>
#include <iterator>

#include <troupe/runtime/detail/mutant.hpp>
#include <troupe/runtime/error.hpp>

namespace troupe::persistence {

using troupe::detail::mutant;

MemoryStore::MemoryStore(std::uint32_t slices, HistoryId history)
    : history_(history), slices_(slices) {
  if (slices == 0) throw UsageError("a journal has one slice at least");
}

Claim MemoryStore::claim(std::uint32_t slice) {
  const std::lock_guard guard(lock_);
  Slice& s = slices_.at(slice);
  return {++s.epoch, s.events.size()};
}

BatchOutcome MemoryStore::append(const Batch& batch) {
  const std::lock_guard guard(lock_);
  Slice& slice = slices_.at(batch.slice);
  if (slice.epoch != batch.epoch && !mutant("epoch_is_ignored")) return BatchFenced{};
  check_order(slice, batch);
  for (const StoredEvent& e : batch.events) {
    streams_[e.stream].positions.push_back(e.position);
    slice.events.push_back(e);
  }
  for (const CommandRecord& c : batch.commands) streams_[c.stream].commands[c.command] = c;
  return BatchWritten{};
}

/// Before anything of it is written: all of it follows what is there.
void MemoryStore::check_order(const Slice& slice, const Batch& batch) const {
  std::map<StreamId, Version> heads;
  Position next = slice.events.size();
  for (const StoredEvent& e : batch.events) {
    const auto stream = streams_.find(e.stream);
    const Version there = stream == streams_.end() ? 0 : stream->second.positions.size();
    Version& head = heads.try_emplace(e.stream, there).first->second;
    if (e.position != ++next || e.version != ++head)
      throw StoreCorrupt("event " + std::to_string(e.position) + ", version " +
                         std::to_string(e.version) + " of " + e.stream.name() +
                         ", does not follow the last one");
  }
}

Version MemoryStore::head(const StreamId& stream) {
  const std::lock_guard guard(lock_);
  const auto found = streams_.find(stream);
  return found == streams_.end() ? 0 : found->second.positions.size();
}

std::optional<CommandRecord> MemoryStore::command(const StreamId& stream,
                                                  const CommandId& command) {
  const std::lock_guard guard(lock_);
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return std::nullopt;
  const auto record = found->second.commands.find(command);
  if (record == found->second.commands.end()) return std::nullopt;
  return record->second;
}

std::vector<StoredEvent> MemoryStore::read_stream(const StreamId& stream, Version after,
                                                  std::size_t max) {
  const std::lock_guard guard(lock_);
  std::vector<StoredEvent> events;
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return events;
  const auto& positions = found->second.positions;
  const Slice& slice = slice_of_stream(stream);
  for (Version v = after; v < positions.size() && events.size() < max; ++v)
    events.push_back(slice.events[positions[v] - 1]);
  return events;
}

std::vector<StoredEvent> MemoryStore::read_slice(std::uint32_t slice, Position after,
                                                 std::size_t max) {
  const std::lock_guard guard(lock_);
  const auto& all = slices_.at(slice).events;
  const auto from = std::min<std::size_t>(after, all.size());
  const auto count = std::min(max, all.size() - from);
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(from);
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

void MemoryStore::put_snapshot(const StoredSnapshot& snapshot) {
  const std::lock_guard guard(lock_);
  streams_[snapshot.stream].snapshots[snapshot.version] = snapshot;
}

void MemoryStore::delete_snapshots(const StreamId& stream, Version below) {
  const std::lock_guard guard(lock_);
  auto& snapshots = streams_[stream].snapshots;
  snapshots.erase(snapshots.begin(), snapshots.lower_bound(below));
}

std::optional<StoredSnapshot> MemoryStore::snapshot(const StreamId& stream, Version at_most) {
  const std::lock_guard guard(lock_);
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return std::nullopt;
  const auto& snapshots = found->second.snapshots;
  const auto behind = snapshots.upper_bound(at_most);
  if (behind == snapshots.begin()) return std::nullopt;
  return std::prev(behind)->second;
}

void MemoryStore::delete_events(const StreamId& stream, Version up_to) {
  const std::lock_guard guard(lock_);
  const auto found = streams_.find(stream);
  const Version head = found == streams_.end() ? 0 : found->second.positions.size();
  if (up_to > head) throw UsageError(beyond_head(stream, up_to, head));
  for (Version v = up_to; v > 0; --v) {
    StoredEvent& e = slice_of_stream(stream).events[found->second.positions[v - 1] - 1];
    if (e.is_deleted) return;  // and those below it
    e.event = {};
    e.event.type_version = 0;
    e.is_deleted = true;
  }
}

MemoryStore::Slice& MemoryStore::slice_of_stream(const StreamId& stream) {
  return slices_[slice_of(stream, static_cast<std::uint32_t>(slices_.size()))];
}

}  // namespace troupe::persistence
