// The timers of one System, and what becomes of a timer that is due.
#pragma once

#include <optional>
#include <vector>

#include "../commands.hpp"
#include "timer_table.hpp"

namespace troupe::detail {

class SystemCore;

enum class TimerPurpose : std::uint8_t {
  tick,           ///< a keyed timer of an actor
  ask_deadline,   ///< the earliest deadline of an actor's asks
  stop_deadline,  ///< handlers of a stopping actor have waited long enough
  receive_timeout,
  control,  ///< a ChildObserver's
};

/// One timer of an actor; due, its command travels to the actor.
struct TimerRecord : Command, WheelEntry {
  TimerPurpose purpose{};
  bool armed = false;               ///< in the wheel, or its command is under way
  bool cancelled = false;           ///< free it when its command comes
  bool tick_waits = false;          ///< its tick is in the mailbox
  bool is_handled = false;          ///< the handler of its tick runs or waits; repeating timers
  bool after_completion = false;    ///< armed again when its tick has been handled
  std::uint32_t missed_before = 0;  ///< periods missed before the tick that is handled
  std::uint32_t missed = 0;         ///< periods that passed meanwhile
  Address target;
  TimerKey key{0};
  Duration period{};
  std::uint64_t token = 0;
  Envelope* message = nullptr;  ///< the tick, or the message to copy each period
  void (*copy)(void* to, const void* from) = nullptr;
  TimerRecord* following_timer = nullptr;
};

/// A message that came from a timer.
struct TickEnvelope : Envelope {
  TimerRecord* timer = nullptr;
  std::uint64_t token = 0;  ///< the timer's, to find it again if it still exists
};
static_assert(sizeof(TickEnvelope) == sizeof(RequestEnvelope), "both have one payload offset");

/// Thread safety: any thread.
class TimerService {
 public:
  explicit TimerService(SystemCore& core);
  /// Frees delayed sends that never became due.
  ~TimerService();
  void arm(TimerRecord& timer, TimePoint due);
  /// A message for anybody. Throws std::bad_alloc.
  void send_at(TimePoint due, const Address& to, Envelope* message);
  /// False: it is due already, and its command is under way.
  bool disarm(TimerRecord& timer);
  /// Sends what is due. One caller at a time. False: nothing was.
  bool fire_due(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next_wake();

 private:
  void fire(TimerRecord& timer);
  void fire(const DelayedSend& send);
  SystemCore& core_;
  BasicTimerTable<> table_;
  DueTimers due_;
};

}  // namespace troupe::detail
