// Every limit of a System, with its unit and the reason for its default.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/dead_letters.hpp>
#include <troupe/runtime/log.hpp>
#include <troupe/runtime/shutdown.hpp>

namespace troupe {

namespace detail {
class Executor;
}
struct CrashReport;
class Middleware;
class SpanExporter;

/// Given to a System at construction; nothing is fetched later (DESIGN.md D6).
struct SystemOptions {
  /// Worker threads; 0: one per core.
  std::uint32_t workers = 0;
  /// Messages an actor handles before others get their turn: long enough to stay in the cache,
  /// short enough for fairness.
  std::uint32_t messages_per_turn_max = 64;
  /// How long an ask waits unless it says otherwise: long for a machine, bearable for a person.
  Duration ask_timeout = std::chrono::seconds(5);
  /// A handler that neither returns nor awaits for so long is reported (S82); zero: never. Orleans'
  /// default.
  Duration handler_stall_after = std::chrono::seconds(1);
  /// A message that waits in a mailbox for so long is reported; zero: never. Orleans' default.
  Duration queue_stall_after = std::chrono::seconds(10);
  /// Messages a stash holds: far more than a protocol keeps open, and a bound all the same.
  std::uint32_t stash_max = 1000;
  /// How long a stop lets a handler go on waiting before it is killed (OTP's shutdown of a worker).
  Duration stop_timeout = std::chrono::seconds(5);
  /// A killed actor whose handler neither returns nor awaits is abandoned after so long, or up
  /// to three quarters more: all goes on without it (S66). Zero: never, as on one thread (test
  /// kits, an io_context) and with a single worker, where nobody is there to see it. Longer than a
  /// handler should ever run, short enough for who waits.
  Duration kill_grace = std::chrono::seconds(1);
  /// How long the whole shutdown may take before survivors are reported and left.
  Duration shutdown_timeout = std::chrono::seconds(10);
  /// Phases of the shutdown, replaced as a whole.
  std::vector<ShutdownPhase> shutdown_phases = default_shutdown_phases();
  /// Address space of a fiber's stack, in bytes; memory is used as it is touched. Quadrupled under
  /// sanitizers.
  std::size_t stack_bytes = 256 * 1024;
  /// Threads of the blocking pool: started when needed, ended when idle.
  std::uint32_t blocking_threads_max = 64;
  /// Dead letters logged each second before the rest is summed up in one line.
  std::uint32_t dead_letters_logged_per_second_max = 10;
  /// Bytes the process may have in memory before messages to actors with more than 1,000 waiting
  /// are refused (`Sent::budget`), and a tenth above all messages but answers, signals and timers
  /// (D2). 0: half of what the cgroup, or else the machine, allows. Of the default scheduler:
  /// without effect on a user's io_context.
  std::size_t memory_max = 0;
  /// An actor that sends to one with more messages waiting is slowed: after each message it waits
  /// until half of them are left (D2). 0: never. Far more than a healthy mailbox holds.
  std::uint32_t slow_senders_above = 10'000;
  /// How long it waits at most.
  Duration slow_senders_for = std::chrono::milliseconds(10);
  /// Bytes of what a crash report says of why, message and state together: a state of gigabytes
  /// must not end the process that reports it.
  std::size_t crash_report_bytes_max = 8 * 1024;

  std::shared_ptr<Clock> clock = {};  ///< none: the machine's monotonic clock
  std::uint64_t seed = 0;             ///< of every random choice; 0: from the operating system
  std::shared_ptr<Log> log = {};      ///< none: standard error from `info` on
  std::vector<std::shared_ptr<Observer>> observers = {};
  std::vector<std::shared_ptr<Middleware>> middleware = {};  ///< around every handler
  std::shared_ptr<SpanExporter> spans = {};                  ///< none: traces are only passed on
  /// Says how many bytes are in use, for memory_max; none: the process's resident memory, less what
  /// is kept for messages to come. Must not throw.
  std::function<std::uint64_t()> memory_gauge = {};
  /// Sees each crash report before anybody else does, to hide what nobody should see. The exit
  /// reason that watchers, supervisors and `Observer::failed` get is as it was thrown. Called on
  /// the failing actor's thread, several at a time; must not wait.
  std::function<void(CrashReport&)> redact_crash_report = {};
  std::shared_ptr<detail::Executor> executor =
      {};  ///< none: work-stealing threads. Test kits give their own
};

}  // namespace troupe
