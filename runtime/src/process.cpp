// Where a process waits for messages.
#include <troupe/runtime/process.hpp>

#include <algorithm>

#include "cell.hpp"
#include "system_core.hpp"

namespace troupe::detail {

void begin_process(Cell& self) {
  if (self.lane() != nullptr)
    throw UsageError(
        "a process takes its mail out of its mailbox: bounds and priorities are for others");
  self.append_notice(make_notice(BeginProcess{}));
}

void report_unread(Cell& self, const MessageType& type, std::size_t count) {
  ProcessWait::received(count);
  if (same_type(&type, &message_type<Terminated>) || same_type(&type, &message_type<Down>) ||
      same_type(&type, &message_type<Exit>))
    return;
  for (std::size_t i = 0; i < count; ++i)
    self.core().dead_letters().add({{}, Ref<>{self.address()}, type.text(), DropReason::ended});
}

void ProcessWait::wait(Cell& self, const MessageType* const* wanted, std::size_t count,
                       std::optional<TimePoint> deadline) {
  const Duration left =
      !deadline || *deadline == TimePoint::max() ? no_timeout : *deadline - self.core().now();
  const RequestPort port = open_slot({}, std::max(left, Duration::zero()), reply_destroyer<void>());
  const Ask<void> woken{port};
  port.slot->asked.store(&message_type<MessageWait>, std::memory_order_relaxed);  // for a look
  waker_ = port;
  wanted_ = wanted;
  count_ = count;
  struct Over {
    RequestPort& waker;
    ~Over() { waker = {}; }
  } over{waker_};
  self.wait_for_message(port, !deadline);
}

void ProcessWait::received(std::size_t messages) {
  Worker::current()->cell->taken.fetch_add(static_cast<std::uint32_t>(messages),
                                           std::memory_order_relaxed);  // a figure for reports
}

void ProcessWait::came(const MessageType& type) {
  if (!mutant("process_hides_its_mail")) received(~std::size_t{0});  // one less
  if (waker_.slot == nullptr) return;
  const bool is_wanted = std::any_of(wanted_, wanted_ + count_, [&](const MessageType* wanted) {
    return same_type(wanted, &type);
  });
  if (is_wanted) answer_done(std::exchange(waker_, {}));
}

}  // namespace troupe::detail
