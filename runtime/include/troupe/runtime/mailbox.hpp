// Mailboxes with a bound, and mailboxes with priorities.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <troupe/runtime/ref.hpp>

namespace troupe {

/// What happens to a message that comes to a full mailbox (S23). Whatever it is: it is counted, and
/// a dead letter but for `redirect` and `transform`; an ask that it belongs to fails at once with
/// `mailbox_full`.
enum class Overflow : unsigned char {
  fail,      ///< the new one is dropped, and tell returns Sent::full
  wait,      ///< as fail for tell; `ref.send(m)` waits for room
  drop_new,  ///< the new one is dropped, and tell returns Sent::ok: the sender need not know
  drop_old,  ///< the oldest one that waits is dropped, of the lowest priority there is
  redirect,  ///< the new one goes to `redirect_to`; dropped if it finds no room there either
  /// The new one is given to the function of its type in `transforms`; it is dropped when there is
  /// none, or when that throws.
  transform,
};

namespace detail {
struct Transform {
  const MessageType* type;
  std::function<void(void* message)> function;
};
struct Priority {
  const MessageType* type;
  std::uint32_t value;
};
}  // namespace detail

/// How an actor's mailbox differs from the default, which is unbounded and first in, first out.
/// Such a mailbox takes a short lock at each send. Signals, timer ticks, urgent messages and
/// commands are never counted or refused. `spawn` throws UsageError when the options contradict
/// themselves.
struct MailboxOptions {
  std::uint32_t capacity = 0;  ///< messages that may wait; 0: no bound
  Overflow on_full = Overflow::fail;
  Ref<> redirect_to = {};
  std::vector<detail::Transform> transforms = {};
  /// Messages of a lower number are handled first; of one number in the order they came (S6). Types
  /// that are not listed come last. At most 255.
  std::vector<detail::Priority> priorities = {};

  [[nodiscard]] bool is_default() const noexcept { return capacity == 0 && priorities.empty(); }
};

/// `.mailbox = troupe::bounded(1000, troupe::Overflow::drop_old)`.
inline MailboxOptions bounded(std::uint32_t capacity, Overflow on_full = Overflow::fail) {
  MailboxOptions options;
  options.capacity = capacity;
  options.on_full = on_full;
  return options;
}

/// For MailboxOptions::priorities.
template <class M>
detail::Priority priority_of(std::uint32_t value) {
  return {&detail::message_type<M>, value};
}

/// For MailboxOptions::transforms: `f(M&&)` makes a message for `to` of one that found no room.
/// Runs on the sender's thread and owns what it captures.
template <class M, class To, class F>
detail::Transform transform_of(To to, F f) {
  return {&detail::message_type<M>, [to, f = std::move(f)](void* message) {
            to.tell(f(std::move(*static_cast<M*>(message))));
          }};
}

}  // namespace troupe
