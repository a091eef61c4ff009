// What a stream's events add up to at some moment, and what they say.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <troupe/persistence/event_table.hpp>
#include <troupe/persistence/journal.hpp>

namespace troupe::persistence {

/// Up to where events count. By default all do. Thread safety: a plain value.
struct AsOf {
  Version version = std::numeric_limits<Version>::max();
  /// Up to the first event that was recorded later. The clock on the wall may have jumped: what
  /// counts is where the event stands.
  WallTime time = WallTime::max();
};

/// A state, and how many events it comes of.
template <class State>
struct StateAt {
  State state;
  Version version = 0;
};

/// Reads a stream's events, so many at a time, until `take` has had enough and says false. Throws
/// AskFailed where the journal can't read them, and what `take` throws; waits as Ask::await does.
template <class Take>
void for_each_event(const Journal& journal, const StreamId& stream, Version after,
                    const Take& take) {
  for (;;) {
    const auto events = journal.read(stream, after, journal.options().replay_events).await();
    for (const StoredEvent& e : events) {
      if (!take(e)) return;
    }
    if (events.size() < journal.options().replay_events) return;
    after = events.back().version;
  }
}

namespace detail {
/// Begins with the newest snapshot up to that version that can be used; a time can't be told of
/// one.
template <class State>
void begin_with_snapshot(const Journal& journal, const StreamId& stream, const AsOf& as_of,
                         StateAt<State>& at) {
  if constexpr (has_snapshots<State>) {
    if (as_of.time != WallTime::max()) return;
    const auto kept = journal.read_snapshot(stream, as_of.version).await();
    const bool is_usable = kept && kept->damage.empty() &&
                           kept->type == State::Snapshot::troupe_schema &&
                           kept->fingerprint == fingerprint_of<State>();
    if (!is_usable) return;
    restore(at.state, codec::decode<typename State::Snapshot>(kept->data));
    at.version = kept->version;
  }
}
}  // namespace detail

/// What a stream's events add up to, as of a version or a time. No actor is started. Throws as
/// for_each_event, codec::CodecError for an event that the state does not know, and StoreCorrupt
/// where events were deleted that it needs: then a later version may be had, not a time.
template <class State>
StateAt<State> state_at(const Journal& journal, const StreamId& stream, const AsOf& as_of = {}) {
  StateAt<State> at;
  detail::begin_with_snapshot(journal, stream, as_of, at);
  for_each_event(journal, stream, at.version, [&](const StoredEvent& e) {
    if (e.version > as_of.version || e.recorded_at > as_of.time) return false;
    if (e.is_deleted)
      throw StoreCorrupt("version " + std::to_string(e.version) + " of " + stream.name() +
                         " was deleted: what it was before can't be told any more");
    detail::apply_stored(at.state, e.event);
    at.version = e.version;
    return true;
  });
  return at;
}

/// An event of a state in words, as its type prints itself; an old one as what it is today; one
/// that the state does not know by its type's name. Throws codec::CodecError where it is no such
/// event.
template <class State>
std::string in_words(const EventData& event) {
  if (event.type_version == 0) return "(deleted)";
  std::string text;
  const auto add = [&](const auto& e) { text += (text.empty() ? "" : ", ") + to_string(e); };
  const bool is_known = detail::take_stored<State>(event, add);
  if (!is_known) return event.type_name + " (unknown)";
  return text.empty() ? event.type_name + " (dropped)" : text;
}

}  // namespace troupe::persistence
