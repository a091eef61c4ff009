// Sees handlers that don't return, and messages that wait too long (S82).
//
// Design. No message carries a time. A handler has run for as long as a worker's count of handled
// messages has not moved while it runs the same cell. A mailbox is first in, first out, so a
// message has waited since the last look if fewer have been taken than had been put in by then. The
// service thread looks while anything runs, and while a message it saw waiting has not been
// reported.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include <troupe/runtime/introspection.hpp>

namespace troupe::detail {

struct Cell;
class SystemCore;
class Worker;

/// Thread safety: one thread.
class StallWatch {
 public:
  explicit StallWatch(SystemCore& core);
  /// Something ran since the last look, however shortly.
  void something_ran() noexcept { was_busy_ = true; }
  /// Looks if it is time. Returns when the next look is due; none: nothing is to be looked for.
  std::optional<TimePoint> look(TimePoint now, bool busy);

 private:
  void look_at_handlers(TimePoint now);
  void look_at_mailboxes(TimePoint now, bool busy);

  struct Handler {
    const Cell* cell = nullptr;
    std::uint64_t handled = 0;
    TimePoint since{};
    bool reported = false;
  };
  struct Mailbox {
    std::uint32_t generation = 0;
    std::uint32_t came = 0;  ///< messages, at `since`
    TimePoint since{};
    bool reported = false;
  };
  SystemCore& core_;
  const Duration handler_limit_;
  const Duration queue_limit_;
  std::map<const Worker*, Handler> handlers_;
  std::map<const Cell*, Mailbox> mailboxes_;
  TimePoint next_handlers_{};
  TimePoint next_mailboxes_{};
  bool was_busy_ = false;         ///< since the last look at the mailboxes
  bool goes_on_looking_ = false;  ///< messages wait that were not reported, or actors do
};

}  // namespace troupe::detail
