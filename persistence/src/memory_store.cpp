#include <troupe/persistence/memory_store.hpp>

#include <algorithm>

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
  const Slice& slice = slices_[slice_of(stream, static_cast<std::uint32_t>(slices_.size()))];
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

}  // namespace troupe::persistence
