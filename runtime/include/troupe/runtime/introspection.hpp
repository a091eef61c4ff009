// What a running System is made of, as seen from outside.
#pragma once

#include <string>
#include <vector>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/ref.hpp>

namespace troupe {

enum class ActorState : unsigned char {
  starting,
  running,
  failing,
  held,
  ending,
  abandoned,  ///< killed, and its handler does not return (S66)
};
[[nodiscard]] std::string_view to_string(ActorState state) noexcept;

/// One actor, at a moment that is over when this is read.
struct ActorInfo {
  Ref<> ref;
  Ref<> parent;      ///< empty for a top-level actor
  std::string path;  ///< "#serial" when it has no name
  std::string type;
  ActorState state{};
  std::uint32_t mailbox_length = 0;
  std::string handling;   ///< the message whose handler runs now on a thread; empty: none
  std::string waits_for;  ///< as System::why, when a handler of it waits; else empty
  /// The handler has run for so long at least, as seen each quarter of
  /// SystemOptions::handler_stall_after; or what it waits for was asked so long ago at least, where
  /// that ask has a timeout. Zero: not known; so for a 32nd of the timeout where the actor asks
  /// often.
  Duration at_least{};
};

/// Something that takes too long (S82).
struct Stall {
  enum class Kind : unsigned char {
    handler,  ///< a handler runs and neither returns nor awaits
    queued,   ///< a message waits in the mailbox
  };
  Kind kind{};
  Ref<> actor;
  std::string message_type;  ///< that is handled, or that waits
  Duration at_least{};
};

namespace detail {
/// Messages that wait in the mailbox of an actor; the largest number when it has ended. A figure.
std::uint32_t mailbox_length(const Address& actor) noexcept;
}  // namespace detail

}  // namespace troupe
