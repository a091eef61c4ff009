// What this node's actors send to those of the other.
#include "peer.hpp"

#include <utility>

namespace troupe::remoting::detail {

using troupe::detail::is_notice;
using troupe::detail::is_request;
using troupe::detail::Life;
using troupe::detail::RequestEnvelope;

namespace {

constexpr std::string_view closed_text = "this node has ended, or that incarnation of the other";

RequestPort port_of(const Envelope& e) noexcept {
  return (e.flags & is_request) != 0 ? static_cast<const RequestEnvelope&>(e).port : RequestPort{};
}

constexpr std::size_t message_head_bytes_max = (1 + message_head_words_max) * sizeof(Word);

/// As who puts its chunks together counts it, with room for the longest head.
bool is_too_large(std::span<const Word> frame, std::size_t message_bytes_max) noexcept {
  return frame.size_bytes() > message_bytes_max + message_head_bytes_max;
}

/// What a thread keeps for its next messages.
constexpr std::size_t kept_frame_words = (std::size_t{1} << 20) / sizeof(Word);

constexpr std::string_view no_schema_text = "the message has no schema, so it stays in its process";
constexpr std::string_view too_large_text = "the message is larger than max_message";

/// A message in line, and who waits for it to have room.
class WaitingSend final : public Waiter {
 public:
  WaitingSend(std::shared_ptr<PeerHome> home, const Envelope& e, const Address& to,
              const RequestPort& port)
      : home_(std::move(home)), from_(e.from), to_(to), type_(e.type->text()), port_(port) {}
  [[nodiscard]] bool is_over() const noexcept override { return troupe::detail::is_over(port_); }
  [[nodiscard]] bool claim() noexcept override {
    return troupe::detail::begin_reply(port_) != nullptr;
  }
  void taken() noexcept override { troupe::detail::finish_reply(port_); }
  void dropped(bool is_lost) noexcept override {
    troupe::detail::report_remote_drop(
        home_->system(), from_, to_, type_,
        is_lost ? DropReason::no_connection : DropReason::mailbox_full);
    if (is_lost) troupe::detail::fail_reply(port_, AskErrorKind::no_connection, "its node is lost");
  }

 private:
  const std::shared_ptr<PeerHome> home_;
  const Address from_;
  const Address to_;
  const std::string_view type_;  ///< kept for ever
  const RequestPort port_;
};

Sent refuse(const Address& to, Envelope* e, DropReason reason, AskErrorKind kind,
            std::string_view what, Sent sent) noexcept {
  troupe::detail::drop_remote(to, e, reason, kind, what);
  return sent;
}

}  // namespace

Sent Peer::send(const Address& to, Envelope* e) noexcept {
  if ((e->flags & is_notice) != 0) {  // the only one that is sent: see poison
    signal({.kind = RemoteSignal::Kind::poison, .from = e->from, .to = to});
    troupe::detail::discard_envelope(e);
    return Sent::ok;
  }
  const bool is_ask = port_of(*e).slot != nullptr;
  if (e->type->codec == nullptr || (is_ask && e->type->reply == nullptr))
    return refuse(to, e, DropReason::unknown_type, AskErrorKind::unknown_type, no_schema_text,
                  Sent::unknown_type);
  try {
    return put_message(to, e);
  } catch (const std::exception& x) {  // of encoding: a list or a union that has no encoding
    return refuse(to, e, DropReason::unknown_type, AskErrorKind::unknown_type, x.what(),
                  Sent::unknown_type);
  }
}

void Peer::send_when_room(const Address& to, Envelope* e, const RequestPort& waiter) noexcept {
  std::optional<Refusal> refusal;
  try {
    refusal = put_when_room(to, e, waiter);
  } catch (const std::exception& x) {  // of encoding
    refusal = {DropReason::unknown_type, AskErrorKind::unknown_type, x.what()};
  }
  if (!refusal) return troupe::detail::destroy_envelope(e);
  troupe::detail::drop_remote(to, e, refusal->reason, refusal->kind, refusal->what);
  troupe::detail::fail_reply(waiter, refusal->kind, refusal->what);
}

std::optional<Peer::Refusal> Peer::put_when_room(const Address& to, Envelope* e,
                                                 const RequestPort& waiter) {
  const Refusal closed{DropReason::no_connection, AskErrorKind::no_connection,
                       std::string(closed_text)};
  if (e->type->codec == nullptr)
    return Refusal{DropReason::unknown_type, AskErrorKind::unknown_type,
                   std::string(no_schema_text)};
  const auto pair = pair_of(e->from, to);
  const auto node = home();
  if (!pair || node == nullptr) return closed;
  std::vector<Word> frame;
  append_tell(frame, {.receiver = pair->receiver, .sender = pair->sender, .schema = e->type->id},
              *e->type->codec, troupe::detail::payload(*e));
  if (is_too_large(frame, message_bytes_max_))
    return Refusal{DropReason::too_large, AskErrorKind::too_large, std::string(too_large_text)};
  auto pushed = queue_->push(*pair, frame, Carries::message, SendQueue::Room::some_left);
  if (pushed == SendQueue::Pushed::full) {
    pushed = queue_->wait_in_line(*pair, std::move(frame),
                                  std::make_unique<WaitingSend>(node, *e, to, waiter));
    if (pushed == SendQueue::Pushed::full) return std::nullopt;
  }
  if (told(pushed, true) == Put::closed) return closed;
  troupe::detail::answer_done(waiter);
  return std::nullopt;
}

/// Nothing: closed.
std::optional<Pair> Peer::pair_of(const Address& from, const Address& to) {
  struct Last {
    std::uint64_t peer = 0;
    Life from{Address{}};
    Life to{Address{}};
    Pair pair;
  };
  thread_local Last last;  // most come in rows
  if (last.peer == serial_ && last.from == Life(from) && last.to == Life(to)) return last.pair;
  const auto node = home();
  if (node == nullptr) return std::nullopt;
  last = {
      serial_, Life(from), Life(to), {node->number_of(from), *troupe::detail::remote_number(to)}};
  return last.pair;
}

Sent Peer::put_message(const Address& to, Envelope* e) {
  thread_local std::vector<Word> frame;
  frame.clear();
  const RequestPort port = port_of(*e);
  const auto pair = pair_of(e->from, to);
  const auto node = port.slot != nullptr ? home() : nullptr;
  if (!pair || (port.slot != nullptr && node == nullptr))
    return refuse(to, e, DropReason::no_connection, AskErrorKind::no_connection, closed_text,
                  Sent::dead);
  MessageHead head{.receiver = pair->receiver, .sender = pair->sender, .schema = e->type->id};
  if (port.slot != nullptr) {
    const std::lock_guard guard(lock_);
    head.request = ++requests_;
    asks_[head.request] = {port, e->type, *pair, {}};
  }
  const auto forget = [&] {
    if (port.slot == nullptr) return;
    const std::lock_guard guard(lock_);
    asks_.erase(head.request);
  };
  const void* const message = troupe::detail::payload(*e);
  try {
    if (port.slot == nullptr) {
      append_tell(frame, head, *e->type->codec, message);
    } else {
      head.timeout = troupe::detail::time_left(port, node->system().now());
      append_ask(frame, head, *e->type->codec, message);
    }
  } catch (...) {  // goes on
    forget();
    throw;
  }
  if (is_too_large(frame, message_bytes_max_)) {
    forget();
    frame = {};
    return refuse(to, e, DropReason::too_large, AskErrorKind::too_large, too_large_text,
                  Sent::too_large);
  }
  const Put outcome = put(*pair, frame, Carries::message);
  if (outcome != Put::sent) {
    forget();
    const bool is_full = outcome == Put::full;
    return refuse(to, e, is_full ? DropReason::mailbox_full : DropReason::no_connection,
                  is_full ? AskErrorKind::mailbox_full : AskErrorKind::no_connection,
                  is_full ? "too much waits for that node, or for that actor of it" : closed_text,
                  is_full ? Sent::full : Sent::dead);
  }
  if (frame.capacity() > kept_frame_words) frame = {};
  if (port.slot != nullptr) static_cast<RequestEnvelope*>(e)->port = {};
  troupe::detail::destroy_envelope(e);
  return Sent::ok;
}

void Peer::put_signal(const NumberedSignal& numbered) {
  thread_local std::vector<Word> frame;
  frame.clear();
  append_signal(frame, numbered);
  if (put({numbered.from, numbered.to}, frame, Carries::signal) == Put::closed)
    bounce(numbered.signal);
}

void Peer::signal(const RemoteSignal& s) noexcept {
  const auto node = home();
  if (node == nullptr) {
    bounce(s);
    return;
  }
  NumberedSignal numbered{0, 0, s};
  numbered.from = troupe::detail::remote_number(s.from).value_or(0);
  if (numbered.from == 0) numbered.from = node->number_of(s.from);
  numbered.to = troupe::detail::remote_number(s.to).value_or(0);
  put_signal(numbered);
}

/// Nobody is there any more: who waits for something of him hears of it.
void Peer::bounce(const RemoteSignal& s) {
  const ExitReason why{ExitReason::Kind::no_connection, std::string(closed_text)};
  if (s.kind == RemoteSignal::Kind::watch) {
    actors_->deliver({.kind = RemoteSignal::Kind::down,
                      .from = s.to,
                      .to = s.from,
                      .token = s.token,
                      .why = why});
  } else if (s.kind == RemoteSignal::Kind::link) {
    actors_->deliver(
        {.kind = RemoteSignal::Kind::exit, .from = s.to, .to = s.from, .flag = true, .why = why});
  }
}

void Peer::put_failure(const Pair& pair, std::uint64_t request, AskErrorKind kind,
                       std::string_view what) {
  std::vector<Word> frame;
  const wire::Failure failure{.what = std::string(what)};
  append_answer(frame, {request, no_schema, 1 + static_cast<std::uint64_t>(kind)},
                wire::Failure::troupe_codec, &failure);
  static_cast<void>(put(pair, frame, Carries::signal));
}

void Peer::answer(const RemoteAnswer& a) noexcept {
  std::shared_ptr<PeerHome> home;
  {
    const std::lock_guard guard(lock_);
    home = home_;
    if (asked_.erase(a.request) == 0) return;  // its epoch is over
  }
  if (home == nullptr) return;
  const Pair pair{home->number_of(a.from), *troupe::detail::remote_number(a.to)};
  if (a.error != nullptr) {
    put_failure(pair, a.request, a.error->kind, a.error->what);
    return;
  }
  std::vector<Word> frame;
  const codec::Codec* codec = a.asked->reply->codec;
  try {
    if (codec != nullptr) {
      append_answer(frame, {a.request, codec->schema.value, 0}, *codec, a.value);
    } else {
      const wire::Failure nothing;
      append_answer(frame, {a.request, no_schema, 0}, wire::Failure::troupe_codec, &nothing);
    }
  } catch (const std::exception& x) {
    put_failure(pair, a.request, AskErrorKind::unknown_type, x.what());
    return;
  }
  if (is_too_large(frame, message_bytes_max_)) {
    put_failure(pair, a.request, AskErrorKind::too_large, "the reply is larger than max_message");
  } else if (put(pair, frame, Carries::answer) == Put::full) {
    put_failure(pair, a.request, AskErrorKind::mailbox_full,
                "too much waits to be sent back to the asker");
  }
}

}  // namespace troupe::remoting::detail
