// Snapshots: a state as of a version, so that a recovery reads only the events behind it.
#pragma once

#include <concepts>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <troupe/persistence/event.hpp>
#include <troupe/runtime/why.hpp>

namespace troupe {

/// When an event-sourced actor's state is kept as a snapshot, and what is deleted then. Zero: not
/// by that. Thread safety: a plain value.
struct SnapshotPolicy {
  std::uint64_t every_events = 0;  ///< since the last one
  std::uint64_t every_bytes = 0;   ///< of events since the last one
  std::size_t keep = 2;            ///< the newest; one at least
  /// Deletes events that lie below the oldest snapshot kept which this release has read back. They
  /// keep their places; what they said is gone: no audit, no time travel there.
  bool delete_events = false;
  [[nodiscard]] constexpr bool takes_any() const noexcept {
    return every_events != 0 || every_bytes != 0;
  }
};

namespace persistence {

/// What a journal keeps of a snapshot.
struct StoredSnapshot {
  StreamId stream;
  Version version = 0;            ///< so many events are in it
  SchemaId type{};                ///< of the struct that it is
  std::uint64_t fingerprint = 0;  ///< of that, and of how events are applied
  std::string type_name;          ///< for people
  std::vector<codec::Word> data;
  WallTime taken_at{};
  /// Why it can't be used: what is stored is not what was written. Empty: it can.
  std::string damage = {};
  friend bool operator==(const StoredSnapshot&, const StoredSnapshot&) = default;
};

inline constexpr Version any_version = std::numeric_limits<Version>::max();

namespace detail {

template <class State>
concept NamesSnapshot = requires {
  typename State::Snapshot;
};
/// Its fields are the snapshot's, and there are no others: they would be lost.
template <class State>
concept IsItsSnapshot = std::derived_from<State, typename State::Snapshot> &&
                        sizeof(State) == sizeof(typename State::Snapshot);
template <class State>
concept MakesSnapshots = requires(const State& state, const typename State::Snapshot& snapshot) {
  { state.snapshot() } -> std::convertible_to<typename State::Snapshot>;
  State(snapshot);
};

/// Why a State has no snapshots; void: it has.
template <class State>
consteval auto why_no_snapshot() {
  if constexpr (!NamesSnapshot<State>) {
    return static_cast<why::the_state_names_no_Snapshot<State>*>(nullptr);
  } else if constexpr (!troupe::detail::HasCodec<typename State::Snapshot>) {
    return static_cast<why::a_snapshot_needs_a_schema<typename State::Snapshot>*>(nullptr);
  } else if constexpr (!IsItsSnapshot<State> && !MakesSnapshots<State>) {
    return static_cast<why::the_state_makes_no_snapshot_or_is_not_made_of_one<State>*>(nullptr);
  }
}
template <class State>
inline constexpr bool has_snapshots = std::is_void_v<decltype(why_no_snapshot<State>())>;

/// The only thing that a snapshot costs the actor: a copy.
template <class State>
typename State::Snapshot snapshot_of(const State& state) {
  if constexpr (IsItsSnapshot<State>) {
    return static_cast<const typename State::Snapshot&>(state);
  } else {
    return state.snapshot();
  }
}
template <class State>
void restore(State& state, const typename State::Snapshot& snapshot) {
  if constexpr (IsItsSnapshot<State>) {
    static_cast<typename State::Snapshot&>(state) = snapshot;
  } else {
    state = State(snapshot);
  }
}

/// Of the snapshot's schema, and of `State::fold_version`, where it has one: who changes what an
/// `apply` does to earlier events raises it.
template <class State>
std::uint64_t fingerprint_of() {
  std::uint64_t print = State::Snapshot::troupe_codec.fingerprint;
  if constexpr (requires { State::fold_version; })
    print ^= std::uint64_t{State::fold_version} * 0x9E3779B97F4A7C15ull;
  return print;
}

}  // namespace detail
}  // namespace persistence
}  // namespace troupe
