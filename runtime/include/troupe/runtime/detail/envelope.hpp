// The bytes a message travels in, and the few non-template calls that sending is made of.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include <troupe/runtime/message.hpp>

namespace troupe::detail {

struct Cell;
struct AskSlot;

/// Names one life of one slot: 16 trivially copyable bytes, keeps nothing alive (DESIGN.md D1).
struct Address {
  Cell* cell = nullptr;
  std::uint32_t generation = 0;
  std::uint32_t serial = 0;  ///< counts the spawns of its System: hash, order, printing
};

/// What an Address names, as the key of a table.
struct Life {
  explicit Life(const Address& a) noexcept : cell(a.cell), generation(a.generation) {}
  const Cell* cell;
  std::uint32_t generation;
  bool operator==(const Life&) const = default;
};
struct HashLife {
  std::size_t operator()(const Life& life) const noexcept {
    return std::hash<const void*>{}(life.cell) ^
           life.generation * 0x9E3779B97F4A7C15ull;  // Fibonacci hashing (Knuth, TAOCP 3, 6.4)
  }
};

/// A place in a mailbox.
struct MailLink {
  std::atomic<MailLink*> next{nullptr};
};

enum EnvelopeFlag : std::uint8_t {
  is_request = 1,
  is_timer_tick = 2,    ///< belongs to a timer record, which frees it
  is_notice = 4,        ///< what the user sees of a command (Terminated, Down, ...)
  payload_dead = 8,     ///< the message was destroyed already
  is_dummy = 16,        ///< still serves the mailbox as its first link
  is_busy = 32,         ///< a turn still uses the message
  is_wide = 64,         ///< has the longer header: requests and timer ticks
  is_redirected = 128,  ///< it found no room once already
};

/// One message under way. The message follows the header; see payload_offset.
struct Envelope : MailLink {
  const MessageType* type = nullptr;
  std::uint32_t to_generation = 0;
  std::uint16_t size_class = 0;
  std::uint8_t flags = 0;
  bool has_trace = false;  ///< a TraceContext follows the message
  Address from;
};

/// The duty to answer one ask. Empty when nobody waits.
struct RequestPort {
  AskSlot* slot = nullptr;
  std::uint32_t generation = 0;
};

struct RequestEnvelope : Envelope {
  RequestPort port;
};

/// One handler at work: whom it serves and who waits for the answer.
struct Turn {
  Envelope* envelope = nullptr;
  RequestPort port;                        ///< empty once the duty to answer was taken
  RequestPort asked;                       ///< whose request it is, whoever has the duty
  const char* what = "on_start";           ///< where it handles no message
  void* task = nullptr;                    ///< the coroutine, where the handler is one
  void (*finish_task)(Turn&, void* task);  ///< of the coroutine
  bool is_given_away = false;              ///< the handler got the message to keep

  RequestPort take_port() noexcept { return std::exchange(port, {}); }
};

constexpr std::size_t payload_offset(std::size_t align, bool wide) {
  const std::size_t header = wide ? sizeof(RequestEnvelope) : sizeof(Envelope);
  return (header + align - 1) & ~(align - 1);  // a division here costs more than the rest of a send
}
inline void* payload(Envelope& e) noexcept {
  return reinterpret_cast<std::byte*>(&e) + payload_offset(e.type->align, (e.flags & is_wide) != 0);
}
template <class M>
M& payload_as(Envelope& e) noexcept {
  const std::size_t offset = (e.flags & is_wide) != 0 ? payload_offset(alignof(M), true)
                                                      : payload_offset(alignof(M), false);
  return *std::launder(reinterpret_cast<M*>(reinterpret_cast<std::byte*>(&e) + offset));
}

/// Memory for a message of this type; the message itself is yet to be constructed. `bytes`: with
/// the header. Any thread.
Envelope* new_envelope(const MessageType& type, std::size_t bytes);
/// The same for a request, with a fresh ask slot whose deadline is `timeout` from now. `destroy`
/// destroys an answer that nobody takes. Any thread.
RequestEnvelope* new_request(const Address& to, const MessageType& type,
                             std::chrono::nanoseconds timeout,
                             void (*destroy)(void* answer) noexcept);
/// Gives the memory back; does not touch the message.
void discard_envelope(Envelope* e) noexcept;
void discard_request(RequestEnvelope* e) noexcept;

}  // namespace troupe::detail

namespace troupe {

/// What became of a tell at once. Everything but `ok` is already counted and a dead letter.
enum class Sent : unsigned char { ok, full, dead, budget, foreign_system, unknown_type, too_large };

namespace detail {

/// Puts the envelope into the receiver's mailbox, or bounces it. Never waits, never throws. Any
/// thread.
Sent send(const Address& to, Envelope* e) noexcept;

/// As send, but waits in line for room in a bounded mailbox: the slot is answered when it is in.
RequestPort send_when_room(const Address& to, Envelope* e, std::chrono::nanoseconds timeout);
/// As send, in the lane that is handled before all ordinary mail (S22).
Sent send_urgent(const Address& to, Envelope* e) noexcept;

/// Gives the envelope back when the message's constructor throws.
template <class E>
class EnvelopeGuard {
 public:
  explicit EnvelopeGuard(E* e) noexcept : e_(e) {}
  EnvelopeGuard(const EnvelopeGuard&) = delete;
  EnvelopeGuard& operator=(const EnvelopeGuard&) = delete;
  ~EnvelopeGuard() {
    if (e_ == nullptr) return;
    if constexpr (std::is_same_v<E, RequestEnvelope>) {
      discard_request(e_);
    } else {
      discard_envelope(e_);
    }
  }
  E* operator->() const noexcept { return e_; }
  E& operator*() const noexcept { return *e_; }
  E* release() noexcept { return std::exchange(e_, nullptr); }

 private:
  E* e_;
};

template <class M>
Envelope* envelop(M&& m) {
  using D = std::remove_cvref_t<M>;
  constexpr std::size_t offset = payload_offset(alignof(D), false);
  EnvelopeGuard<Envelope> e{new_envelope(message_type<D>, offset + sizeof(D))};
  ::new (reinterpret_cast<std::byte*>(&*e) + offset) D(std::forward<M>(m));
  return e.release();
}

}  // namespace detail
}  // namespace troupe
