// How an actor is spawned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/mailbox.hpp>

namespace troupe {

/// What happens to a child that fails, ends, or is halted.
enum class OnEnd : unsigned char {
  terminate,  ///< it is gone
  hold,  ///< it keeps cell, mailbox and watchers and waits for its parent's verdict (DESIGN.md 2)
};

/// Whether the end of a top-level actor starts the System's coordinated shutdown. Ignored for
/// children.
enum class Guardian : unsigned char {
  automatic,   ///< supervisors: on_failure; other actors: no
  no,          ///< the System goes on
  on_failure,  ///< an end that nobody asked for (a failure, a supervisor that gave up) shuts the
               ///< System down
  always,      ///< any end does
};

/// How an actor is spawned. Given in braces, before the constructor's arguments.
struct SpawnOptions {
  std::string name = {};  ///< unique among its siblings; letters, digits, "-_.:"; empty: anonymous
  OnEnd on_end = OnEnd::terminate;  ///< only for children
  Guardian guardian = Guardian::automatic;
  bool trap_exit = false;  ///< exit signals of linked actors become Exit signals (S59)
  bool linked = false;     ///< linked with its parent from the start: spawn_link (S58)
  /// How long a stop lets a handler go on waiting; none: the System's stop_timeout (S139).
  std::optional<Duration> stop_timeout = {};
  /// A bound or priorities: see mailbox.hpp.
  MailboxOptions mailbox = {};
  /// It runs on a thread of its own, also across its restarts: for libraries that want to be called
  /// from one thread, or for work that must not wait for others. Spawning throws std::system_error
  /// when there is none to be had. Where one thread runs everything (a seeded TestSystem, an
  /// io_context) this changes nothing.
  bool pinned = false;
  /// Its handlers go on after a wait on the worker they left (S83): for what lies in thread-locals.
  bool stay_on_worker = false;
  /// Messages its stash holds at most; 0: the System's stash_max.
  std::uint32_t stash_max = 0;
  /// A restart puts stashed messages back before the mailbox; false: they become dead letters
  /// (S31).
  bool restart_keeps_stash = true;
  /// Whether a restart stops its children; false: they go on unchanged, as children of the next
  /// incarnation, and end when it is not restarted (S44). Not for a ChildObserver (a supervisor),
  /// whose object alone knows its children: spawning one throws UsageError then.
  bool stop_children = true;
};

}  // namespace troupe
