// What an ask can end in besides its answer: the kinds, as a value and as exceptions.
#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

namespace troupe {

/// Why an ask has no answer. The kind says what the caller can do.
enum class AskErrorKind : unsigned char {
  timeout,        ///< outcome unknown: the request may have run, may still run
  receiver_down,  ///< the receiver ended, or was never there; a fresh incarnation may be asked
                  ///< again
  refused,   ///< the receiver turned the request down (`refuse`, `require`); asking again is no use
  no_reply,  ///< the receiver let go of the duty to answer
  mailbox_full,    ///< the receiver's mailbox had no room
  cancelled,       ///< the asker itself gave up
  cycle,           ///< waiting would close a ring of actors that wait for each other
  wrong_protocol,  ///< the receiver does not take this message
  system_stopped,  ///< the System of the receiver is gone or going
  no_connection,   ///< outcome unknown: the receiver's node can't be reached; it may still run
  unknown_type,    ///< the receiver's node does not know the message's schema, or can't read it
  too_large,       ///< the message is larger than one to another node may be
};

[[nodiscard]] std::string_view to_string(AskErrorKind kind) noexcept;

/// An ask's failure as a value (`try_await`).
struct AskError {
  AskErrorKind kind = AskErrorKind::timeout;
  std::string what;
};

/// An ask's failure as an exception (`await`). Uncaught in a handler it ends the request, not the
/// actor. Thread safety: as a plain value.
class AskFailed : public std::runtime_error {
 public:
  explicit AskFailed(const AskError& error);
  [[nodiscard]] AskErrorKind kind() const noexcept { return kind_; }

 private:
  AskErrorKind kind_;
};

/// One class per kind, so that a caller can catch what it can handle.
/// Thread safety: as a plain value.
template <AskErrorKind K>
class AskFailedOf : public AskFailed {
 public:
  explicit AskFailedOf(std::string what) : AskFailed({K, std::move(what)}) {}
};
using AskTimeout = AskFailedOf<AskErrorKind::timeout>;
using ReceiverDown = AskFailedOf<AskErrorKind::receiver_down>;
using Refused = AskFailedOf<AskErrorKind::refused>;
using NoReplyGiven = AskFailedOf<AskErrorKind::no_reply>;
using MailboxFull = AskFailedOf<AskErrorKind::mailbox_full>;
using AskCancelled = AskFailedOf<AskErrorKind::cancelled>;
using AwaitCycle = AskFailedOf<AskErrorKind::cycle>;
using WrongProtocol = AskFailedOf<AskErrorKind::wrong_protocol>;
using SystemStopped = AskFailedOf<AskErrorKind::system_stopped>;
using NoConnection = AskFailedOf<AskErrorKind::no_connection>;
using UnknownType = AskFailedOf<AskErrorKind::unknown_type>;
using TooLarge = AskFailedOf<AskErrorKind::too_large>;

/// Throws the exception class of `error.kind`.
[[noreturn]] void throw_ask_error(AskError error);

/// Thrown by an `await` whose actor is killed, exits, or reached its stop deadline. Not a
/// std::exception, so that ordinary handlers don't swallow it; a `catch (...)` must rethrow it.
struct Cancelled {};

/// A wrong use of Troupe that could only be seen at run time; the text says what to do instead.
/// Thread safety: as a plain value.
class UsageError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// The name is in use (`spawn` with a name).
/// Thread safety: as a plain value.
class NameTaken : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// `start` or `start_child`: the actor's constructor or `on_start` failed, or took longer than the
/// start timeout. Thread safety: as a plain value.
class StartFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An await found no memory for a further stack: so many handlers wait at once. The text names what
/// to change. Thread safety: as a plain value.
class StackLimit : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// `stash` found the stash full; uncaught it is a failure of the actor (S26). `stash_is_full()`
/// asks before. Thread safety: as a plain value.
class StashOverflow : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Ends the request being handled: the asker gets `refused` with this text; the actor lives on.
[[noreturn]] void refuse(std::string why);

/// Refuses unless `condition` holds.
inline void require(bool condition, std::string_view why) {
  if (!condition) refuse(std::string(why));
}

}  // namespace troupe
