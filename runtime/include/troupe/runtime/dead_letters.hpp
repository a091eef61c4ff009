// What could not be delivered, and what the runtime tells those who look on.
#pragma once

#include <cstdint>
#include <string_view>

#include <troupe/runtime/crash_report.hpp>
#include <troupe/runtime/exit_reason.hpp>
#include <troupe/runtime/introspection.hpp>
#include <troupe/runtime/ref.hpp>

namespace troupe {

/// Why a message was not handled.
enum class DropReason : unsigned char {
  no_actor,        ///< the ref is empty, or its actor has ended
  ended,           ///< it waited in the mailbox of an actor that ended
  foreign_system,  ///< sent from an actor of another System of this process
  system_stopped,  ///< the System is gone or no longer takes messages
  mailbox_full,    ///< its mailbox was full, or it made room for a newer one
  expired,         ///< a request whose asker had given up before it was taken
  unhandled,       ///< the actor has no handler for its type
  stashed,         ///< it was in the stash, or kept for later, when its actor ended
  held_too_many,   ///< too many came while the actor waited to be restarted (S72)
  late_reply,      ///< an answer to an ask that was over (counted, no dead letter)
  cancelled_tick,  ///< a tick of a timer that was cancelled, or of an earlier incarnation (counted,
                   ///< no dead letter)
  over_budget,     ///< the System's memory budget was used up
  abandoned,       ///< its sender was killed and abandoned, and its handler goes on (S66)
  turned_away,     ///< a middleware did not pass it on
  no_connection,   ///< the receiver's node can't be reached, or it ended with its connection
  unknown_type,    ///< it has no schema that both nodes know, or its bytes can't be read
  too_large,       ///< it is larger than a message to another node may be
};
inline constexpr std::size_t drop_reasons = 17;
[[nodiscard]] std::string_view to_string(DropReason reason) noexcept;
/// Its name above, for labels of metrics.
[[nodiscard]] std::string_view label_of(DropReason reason) noexcept;

/// A message that was not handled. Best effort, for people and tests; never build reliability on it
/// (S7).
struct DeadLetter {
  Ref<> sender;
  Ref<> receiver;
  std::string_view message_type;
  DropReason reason;
};

/// Looks on: for tests, metrics and supervision dashboards.
/// Thread safety: called on any thread, several at a time; must not wait and must not throw.
class Observer {
 public:
  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  virtual ~Observer() = default;
  virtual void dead_letter(const DeadLetter& /*letter*/) {}
  virtual void spawned(const Ref<>& /*actor*/) {}
  virtual void failed(const Ref<>& /*actor*/, const ExitReason& /*why*/) {}
  /// The same with all that is known of it, as the log has it.
  virtual void crashed(const CrashReport& /*report*/) {}
  virtual void restarted(const Ref<>& /*actor*/, std::uint32_t /*incarnation*/) {}
  virtual void ended(const Ref<>& /*actor*/, const ExitReason& /*why*/) {}
  /// A handler or a message takes too long. Once for each.
  virtual void stalled(const Stall& /*stall*/) {}
  /// It was killed and its handler of `message_type` neither returned nor awaited: all goes on
  /// without it (S66). It has `ended` when that handler returns at last.
  virtual void abandoned(const Ref<>& /*actor*/, std::string_view /*message_type*/) {}
  /// A supervisor gave up.
  virtual void escalated(const Ref<>& /*supervisor*/, const ExitReason& /*why*/) {}
};

/// Exact counts since the System began.
struct Metrics {
  std::uint64_t messages_handled = 0;
  std::uint64_t actors_spawned = 0;
  std::uint64_t actors_ended = 0;
  std::uint64_t actors_restarted = 0;
  std::uint64_t handler_failures = 0;  ///< exceptions that ended an actor's incarnation
  std::uint64_t actors_abandoned = 0;  ///< killed, and their handler did not return (S66)
  std::uint64_t requests_refused = 0;  ///< refuse, require, or an AskFailed nobody caught
  std::uint64_t senders_slowed = 0;    ///< each time an actor waited since it floods another
  std::uint64_t steals = 0;
  std::uint64_t parks = 0;
  std::uint64_t dropped[drop_reasons] = {};  ///< by DropReason

  [[nodiscard]] std::uint64_t dropped_for(DropReason reason) const noexcept {
    return dropped[static_cast<std::size_t>(reason)];
  }
};

}  // namespace troupe
