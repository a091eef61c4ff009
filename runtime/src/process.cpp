// Where a process waits for messages.
#include <troupe/runtime/process.hpp>

#include <algorithm>

#include "cell.hpp"
#include "system_core.hpp"

namespace troupe::detail {

void ProcessWait::wait(Cell& self, const MessageType* const* wanted, std::size_t count,
                       std::optional<TimePoint> deadline) {
  const Duration left =
      !deadline || *deadline == TimePoint::max() ? no_timeout : *deadline - self.core().now();
  const RequestPort port = open_slot({}, std::max(left, Duration::zero()), &destroy_reply<void>);
  const Ask<void> woken{port};
  waker_ = port;
  wanted_ = wanted;
  count_ = count;
  struct Over {
    RequestPort& waker;
    ~Over() { waker = {}; }
  } over{waker_};
  self.wait_for_message(port, !deadline);
}

void ProcessWait::came(const MessageType& type) {
  if (waker_.slot == nullptr) return;
  const bool is_wanted = std::any_of(wanted_, wanted_ + count_, [&](const MessageType* wanted) {
    return same_type(wanted, &type);
  });
  if (is_wanted) answer_done(std::exchange(waker_, {}));
}

}  // namespace troupe::detail
