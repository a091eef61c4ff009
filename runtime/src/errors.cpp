// Errors, exit reasons and their names.
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <troupe/runtime/dead_letters.hpp>
#include <troupe/runtime/detail/check.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/exit_reason.hpp>

namespace troupe {

namespace detail {
void check_failed(const char* condition, const char* what, const char* file, int line) noexcept {
  std::fprintf(stderr, "troupe: broken invariant: %s (%s) at %s:%d\n", what, condition, file, line);
  std::abort();
}
}  // namespace detail

std::string_view to_string(AskErrorKind kind) noexcept {
  switch (kind) {
    case AskErrorKind::timeout: return "timeout";
    case AskErrorKind::receiver_down: return "receiver down";
    case AskErrorKind::refused: return "refused";
    case AskErrorKind::no_reply: return "no reply";
    case AskErrorKind::mailbox_full: return "mailbox full";
    case AskErrorKind::cancelled: return "cancelled";
    case AskErrorKind::cycle: return "cycle of waits";
    case AskErrorKind::wrong_protocol: return "wrong protocol";
    case AskErrorKind::system_stopped: return "system stopped";
    case AskErrorKind::no_connection: return "no connection";
    case AskErrorKind::unknown_type: return "unknown type";
    case AskErrorKind::too_large: return "too large";
  }
  return "unknown";
}

AskFailed::AskFailed(const AskError& error)
    : std::runtime_error(error.what.empty() ? std::string(to_string(error.kind)) : error.what),
      kind_(error.kind) {}

void throw_ask_error(AskError error) {
  switch (error.kind) {
    case AskErrorKind::timeout: throw AskTimeout(std::move(error.what));
    case AskErrorKind::receiver_down: throw ReceiverDown(std::move(error.what));
    case AskErrorKind::refused: throw Refused(std::move(error.what));
    case AskErrorKind::no_reply: throw NoReplyGiven(std::move(error.what));
    case AskErrorKind::mailbox_full: throw MailboxFull(std::move(error.what));
    case AskErrorKind::cancelled: throw AskCancelled(std::move(error.what));
    case AskErrorKind::cycle: throw AwaitCycle(std::move(error.what));
    case AskErrorKind::wrong_protocol: throw WrongProtocol(std::move(error.what));
    case AskErrorKind::system_stopped: throw SystemStopped(std::move(error.what));
    case AskErrorKind::no_connection: throw NoConnection(std::move(error.what));
    case AskErrorKind::unknown_type: throw UnknownType(std::move(error.what));
    case AskErrorKind::too_large: throw TooLarge(std::move(error.what));
  }
  throw AskFailed(error);
}

void refuse(std::string why) {
  throw Refused(std::move(why));
}

ExitReason::ExitReason(Kind kind, std::string text, std::exception_ptr error) : kind_(kind) {
  if (!text.empty() || error)
    detail_ = std::make_shared<const Detail>(Detail{std::move(text), std::move(error)});
}
ExitReason ExitReason::shutdown(std::string text) {
  return {Kind::shutdown, std::move(text)};
}
ExitReason ExitReason::killed(std::string text) {
  return {Kind::killed, std::move(text)};
}
ExitReason ExitReason::failure(std::string text, std::exception_ptr error) {
  return {Kind::failure, std::move(text), std::move(error)};
}
ExitReason ExitReason::no_actor() {
  return {Kind::no_actor, {}};
}
std::string_view ExitReason::text() const noexcept {
  return detail_ ? std::string_view(detail_->text) : std::string_view();
}
std::exception_ptr ExitReason::exception() const noexcept {
  return detail_ ? detail_->error : nullptr;
}
std::string ExitReason::to_string() const {
  std::string line(troupe::to_string(kind_));
  if (!text().empty()) line.append(": ").append(text());
  return line;
}

std::string_view to_string(ExitReason::Kind kind) noexcept {
  switch (kind) {
    case ExitReason::Kind::normal: return "normal";
    case ExitReason::Kind::shutdown: return "shutdown";
    case ExitReason::Kind::killed: return "killed";
    case ExitReason::Kind::failure: return "failure";
    case ExitReason::Kind::no_actor: return "no actor";
    case ExitReason::Kind::no_connection: return "no connection";
  }
  return "unknown";
}

std::string_view label_of(DropReason reason) noexcept {
  constexpr std::string_view labels[drop_reasons] = {
      "no_actor",       "ended",       "foreign_system", "system_stopped", "mailbox_full",
      "expired",        "unhandled",   "stashed",        "held_too_many",  "late_reply",
      "cancelled_tick", "over_budget", "abandoned",      "turned_away",    "no_connection",
      "unknown_type",   "too_large"};
  return labels[static_cast<std::size_t>(reason)];
}

std::string_view to_string(DropReason reason) noexcept {
  switch (reason) {
    case DropReason::no_actor: return "no such actor";
    case DropReason::ended: return "the actor ended before it took the message";
    case DropReason::foreign_system: return "the actor belongs to another System";
    case DropReason::system_stopped: return "the System has ended";
    case DropReason::mailbox_full: return "the mailbox was full";
    case DropReason::expired: return "the asker had given up";
    case DropReason::unhandled: return "the actor has no handler for it";
    case DropReason::stashed: return "it was stashed when the actor ended";
    case DropReason::held_too_many:
      return "too many messages came while the actor waited to be restarted";
    case DropReason::late_reply: return "the ask was over";
    case DropReason::cancelled_tick: return "the timer was cancelled";
    case DropReason::over_budget: return "the memory budget was used up (memory_max)";
    case DropReason::abandoned: return "its sender was killed and is abandoned";
    case DropReason::turned_away: return "a middleware did not pass it on";
    case DropReason::no_connection: return "its node can't be reached";
    case DropReason::unknown_type: return "its type is not known there, or it can't be read";
    case DropReason::too_large: return "it is larger than a message to another node may be";
  }
  return "unknown";
}

}  // namespace troupe
