#include "peer.hpp"

#include <array>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::remoting::detail {

using troupe::detail::is_notice;
using troupe::detail::is_request;
using troupe::detail::Life;
using troupe::detail::MessageType;
using troupe::detail::mutant;
using troupe::detail::RequestEnvelope;

namespace {

constexpr std::string_view closed_text = "this node has ended, or that incarnation of the other";

/// The schema of a reply that is none of a schema: nothing looks for it.
constexpr std::uint64_t no_schema = 0;

/// They are counted from 1; a larger one would cost memory for nothing.
constexpr std::uint64_t actor_number_max = std::uint64_t{1} << 40;

RequestPort port_of(const Envelope& e) noexcept {
  return (e.flags & is_request) != 0 ? static_cast<const RequestEnvelope&>(e).port : RequestPort{};
}

constexpr std::size_t message_head_bytes_max = (1 + message_head_words_max) * sizeof(Word);

/// As who puts its chunks together counts it, with room for the longest head.
bool is_too_large(std::span<const Word> frame, std::size_t message_bytes_max) noexcept {
  return frame.size_bytes() > message_bytes_max + message_head_bytes_max;
}

std::uint64_t new_serial() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;  // a number of its own
}

std::shared_ptr<SendQueue> queue_for(const PeerHome* home) {
  if (home != nullptr) return std::make_shared<SendQueue>(home->queue_bounds());
  auto closed = std::make_shared<SendQueue>();
  static_cast<void>(closed->clear(true));
  return closed;
}

/// An envelope with the message that stands there. Throws CodecError.
Envelope* decode(const MessageType& type, std::span<const Word> words, bool is_ask,
                 troupe::detail::RefNames& names) {
  Envelope* e = is_ask ? troupe::detail::new_forwarded(type)
                       : troupe::detail::new_envelope(
                             type, troupe::detail::payload_offset(type.align, false) + type.size);
  void* const message = troupe::detail::payload(*e);
  type.codec->construct(message);
  try {
    type.codec->read(message, words, &names);
  } catch (...) {  // goes on
    if (type.destroy != nullptr) type.destroy(message);
    troupe::detail::discard_envelope(e);
    throw;
  }
  return e;
}

/// What a thread keeps for its next messages.
constexpr std::size_t kept_frame_words = (std::size_t{1} << 20) / sizeof(Word);

constexpr std::string_view no_schema_text = "the message has no schema, so it stays in its process";
constexpr std::string_view too_large_text = "the message is larger than max_message";

/// A message in line, and who waits for it to have room.
class WaitingSend final : public SendQueue::Waiter {
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

// ---- what is sent there

Peer::Peer(std::shared_ptr<PeerHome> home, std::uint64_t incarnation, std::string_view address)
    : queue_(queue_for(home.get())),
      message_bytes_max_(home != nullptr ? home->message_bytes_max() : 0),
      serial_(new_serial()),
      home_(std::move(home)),
      incarnation_(incarnation),
      address_(address) {}

Peer::Put Peer::put(const Pair& pair, std::span<const Word> frame, Carries what) {
  return told(queue_->push(pair, frame, what), what != Carries::signal);
}

Peer::Put Peer::told(SendQueue::Pushed pushed, bool may_be_full) {
  using Pushed = SendQueue::Pushed;
  if (pushed == Pushed::behind) return Put::sent;
  if (pushed == Pushed::closed) return Put::closed;
  if (const auto node = home(); node != nullptr) {
    if (pushed == Pushed::first) node->wants_to_send(*this);
    if (pushed == Pushed::full && !may_be_full) node->is_overrun(*this);
  }
  return pushed == Pushed::full ? Put::full : Put::sent;
}

std::shared_ptr<PeerHome> Peer::home() {
  const std::lock_guard guard(lock_);
  return home_;
}

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
    pushed =
        queue_->wait_in_line(*pair, frame, std::make_unique<WaitingSend>(node, *e, to, waiter));
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

void Peer::request(const WriteRequest& write, Resolved done) {
  std::vector<Word> frame;
  std::uint64_t request = 0;
  {
    const std::lock_guard guard(lock_);
    request = ++requests_;
    asks_[request] = {{}, nullptr, {}, std::move(done)};
  }
  write(*home_, request, frame);
  static_cast<void>(put({}, frame, Carries::signal));
}

// ---- what comes from there

Address Peer::actor(std::uint64_t number) {
  if (number > actor_number_max) throw ProtocolError("no node has named so many actors");
  return actors_->actor(number);
}

void Peer::take(const Frame& frame) {
  switch (frame.kind) {
    case FrameKind::tell:
    case FrameKind::ask: take_message(frame); break;
    case FrameKind::answer: take_answer(frame); break;
    case FrameKind::cancel: take_cancel(frame); break;
    case FrameKind::resolve: take_resolve(frame); break;
    case FrameKind::spawn: take_spawn(frame); break;
    case FrameKind::credit: take_credit(frame); break;
    default:
      if (!is_signal(frame.kind)) throw ProtocolError("a frame that this node does not serve");
      take_signal(frame);
  }
}

void Peer::reject(const MessageHead& head, bool is_ask, std::string_view type, DropReason reason,
                  AskErrorKind kind, std::string_view what) {
  troupe::detail::report_remote_drop(home_->system(), actor(head.sender),
                                     home_->actor_of(head.receiver), type, reason);
  if (is_ask) put_failure({head.receiver, head.sender}, head.request, kind, what);
}

bool Peer::is_full_of_asks(std::uint64_t request) {
  const std::lock_guard guard(lock_);
  if (asked_.contains(request)) throw ProtocolError("two requests of one number");
  return asked_.size() >= home_->unanswered_max();
}

void Peer::take_message(const Frame& frame) {
  const auto [head, words] = read_message(frame);
  hand_over(head, words, frame.kind == FrameKind::ask);
  count_message({head.sender, head.receiver}, sizeof(Word) + frame.body.size_bytes());
}

/// Finds who and what it is about. False: the receiver has ended.
bool Peer::know(const MessageHead& head) {
  Known& k = known_;
  const bool is_as_last =
      k.receiver == head.receiver && k.sender == head.sender && k.schema == head.schema;
  if (is_as_last && k.to.cell != nullptr && !troupe::detail::has_ended(k.to)) return true;
  const Address from = actor(head.sender);  // may throw
  k = {head.receiver, head.sender, head.schema, home_->actor_of(head.receiver), from, nullptr};
  if (k.to.cell != nullptr) k.type = troupe::detail::type_of_schema(k.to, head.schema);
  return k.to.cell != nullptr;
}

void Peer::hand_over(const MessageHead& head, std::span<const Word> words, bool is_ask) {
  if (!know(head)) {
    reject(head, is_ask, "a message of another node", DropReason::no_actor,
           AskErrorKind::receiver_down, "the actor has ended");
    return;
  }
  const Address to = known_.to;
  const MessageType* const type = known_.type;
  if (type == nullptr || (is_ask && type->reply == nullptr)) {
    reject(head, is_ask, "a message of another node", DropReason::unknown_type,
           AskErrorKind::unknown_type, "the actor does not take messages of that schema");
    return;
  }
  if (is_ask && is_full_of_asks(head.request)) {
    reject(head, is_ask, type->text(), DropReason::mailbox_full, AskErrorKind::mailbox_full,
           "too many asks of that node are not answered yet");
    return;
  }
  Envelope* e = nullptr;
  try {
    e = decode(*type, words, is_ask, home_->names());
  } catch (const codec::CodecError& x) {
    reject(head, is_ask, type->text(), DropReason::unknown_type, AskErrorKind::unknown_type,
           x.what());
    return;
  }
  if (head.sender != 0) e->from = known_.from;
  if (is_ask) {
    const RequestPort port =
        troupe::detail::open_remote_ask(known_.from, to, head.request, *type, head.timeout);
    static_cast<RequestEnvelope*>(e)->port = port;
    const std::lock_guard guard(lock_);
    asked_.emplace(head.request, port);
  }
  troupe::detail::send_here(home_->system(), to, e);
}

/// It is with its receiver, or was none for anybody.
void Peer::count_message(const Pair& pair, std::size_t bytes) {
  untaken_bytes_ += credit_of(bytes);
  owed_.came(pair, bytes, [&](const Pair& of, std::size_t owed) {
    const auto taken = [self = shared_from_this(), of, owed, epoch = epoch_.load()] {
      self->give_back(of, owed, epoch);
    };
    const Address receiver = home_->actor_of(of.receiver);
    if (receiver.cell == nullptr || mutant("credit_is_given_on_arrival")) {
      taken();
    } else {
      troupe::detail::when_mail_is_taken(receiver, taken);
    }
  });
}

/// Any thread.
void Peer::give_back(const Pair& pair, std::size_t bytes, std::uint64_t epoch) {
  const std::array frame{frame_header(FrameKind::credit, 3), Word{pair.sender}, Word{pair.receiver},
                         Word{bytes}};
  const std::lock_guard guard(lock_);
  if (epoch_.load() != epoch || home_ == nullptr) return;
  untaken_bytes_ -= bytes;
  const auto pushed = queue_->push_control(frame);
  if (pushed == SendQueue::Pushed::first) home_->wants_to_send(*this);
  if (pushed == SendQueue::Pushed::full) home_->is_overrun(*this);
}

void Peer::take_credit(const Frame& frame) {
  if (frame.body.size() != 3) throw ProtocolError("a credit that is none");
  queue_->give_back({frame.body[0], frame.body[1]}, frame.body[2]);
  home_->wants_to_send(*this);
}

void Peer::take_answer(const Frame& frame) {
  const auto [head, words] = read_answer(frame);
  OpenAsk ask;
  {
    const std::lock_guard guard(lock_);
    const auto found = asks_.find(head.request);
    if (found == asks_.end()) return;  // the asker gave up
    ask = std::move(found->second);
    asks_.erase(found);
  }
  if (head.status != 0 || ask.resolved) {
    try {
      end_with(ask, head.status, words);
    } catch (const ProtocolError& e) {
      end(ask, AskErrorKind::no_connection, e.what());
      throw;
    }
    return;
  }
  const codec::Codec* const codec = ask.asked->reply->codec;
  if (head.schema != (codec != nullptr ? codec->schema.value : no_schema)) {
    end(ask, AskErrorKind::unknown_type, "the reply is of another schema than the message says");
    return;
  }
  troupe::detail::answer_with(ask.port, *ask.asked->reply, [&, &in = words](void* reply) {
    codec->read(reply, in, &home_->names());
  });
}

void Peer::end_with(OpenAsk& ask, std::uint64_t status, std::span<const Word> words) {
  if (status == 0) {
    const std::uint64_t number = read_struct<wire::Resolved>(words).actor;
    ask.resolved(actor(number), nullptr);
    return;
  }
  const std::string what = read_struct<wire::Failure>(words).what;
  const bool is_known = status - 1 <= static_cast<std::uint64_t>(AskErrorKind::too_large);
  end(ask, is_known ? static_cast<AskErrorKind>(status - 1) : AskErrorKind::no_reply, what);
}

void Peer::take_cancel(const Frame& frame) {
  if (frame.body.size() != 1) throw ProtocolError("a cancel without a number");
  RequestPort port;
  {
    const std::lock_guard guard(lock_);
    const auto found = asked_.find(frame.body[0]);
    if (found == asked_.end()) return;
    port = found->second;
    asked_.erase(found);
  }
  troupe::detail::give_up_remote_ask(port);
}

void Peer::take_signal(const Frame& frame) {
  NumberedSignal n = read_signal(frame);
  n.signal.from = actor(n.from);
  n.signal.to = home_->actor_of(n.to);
  const RemoteSignal::Kind kind = n.signal.kind;
  const bool goes_by_token = kind == RemoteSignal::Kind::unwatch ||
                             kind == RemoteSignal::Kind::down ||
                             kind == RemoteSignal::Kind::restarted;
  if (n.signal.to.cell != nullptr || goes_by_token) {
    actors_->deliver(n.signal);
  } else if (kind == RemoteSignal::Kind::watch) {
    put_signal({n.to,
                n.from,
                {.kind = RemoteSignal::Kind::down,
                 .token = n.signal.token,
                 .why = ExitReason::no_actor()}});
  } else if (kind == RemoteSignal::Kind::link) {
    put_signal({n.to,
                n.from,
                {.kind = RemoteSignal::Kind::exit, .flag = true, .why = ExitReason::no_actor()}});
  }  // any other is for an actor that has ended
}

Found look_up(System& system, const std::string& path, std::span<const std::uint64_t> schemas) {
  const Address found = troupe::detail::find_path(system, path);
  if (found.cell == nullptr)
    return {{}, AskError{AskErrorKind::receiver_down, "there is no actor " + path}};
  for (const std::uint64_t schema : schemas) {
    if (troupe::detail::type_of_schema(found, schema) == nullptr)
      return {{},
              AskError{AskErrorKind::wrong_protocol,
                       "the actor " + path + " does not take all messages of the ref"}};
  }
  return {found, std::nullopt};
}

void Peer::take_resolve(const Frame& frame) {
  const auto resolve = read_struct<wire::Resolve>(frame.body);
  const auto [actor, error] = look_up(home_->system(), resolve.path, resolve.schemas);
  put_found(resolve.request, actor, error ? &*error : nullptr);
}

void Peer::put_found(std::uint64_t request, const Address& actor, const AskError* error) {
  if (error != nullptr) {
    put_failure({}, request, error->kind, error->what);
    return;
  }
  const auto node = home();
  if (node == nullptr) return;
  std::vector<Word> answer;
  const wire::Resolved found{.actor = node->number_of(actor)};
  append_answer(answer, {request, no_schema, 0}, wire::Resolved::troupe_codec, &found);
  static_cast<void>(put({}, answer, Carries::signal));
}

void Peer::take_spawn(const Frame& frame) {
  auto spawn = read_struct<wire::Spawn>(frame.body);
  if (spawn.parent == 0) throw ProtocolError("a spawn without a parent");
  const std::uint64_t request = spawn.request;
  const std::uint64_t epoch = epoch_.load();
  home_->spawn_here(
      std::move(spawn), incarnation_, actor(spawn.parent),
      [self = shared_from_this(), request, epoch](const Address& actor, const AskError* error) {
        if (self->epoch_.load() == epoch) self->put_found(request, actor, error);
      });
}

// ---- the end of an epoch

void Peer::end(OpenAsk& ask, AskErrorKind kind, const std::string& why) {
  if (ask.resolved) {
    const AskError error{kind, why};
    ask.resolved({}, &error);
  } else {
    troupe::detail::fail_reply(ask.port, kind, why);
  }
}

void Peer::lost(const std::string& why) {
  end_epoch(why, false);
}

void Peer::close(const std::string& why) {
  end_epoch(why, true);
}

void Peer::end_epoch(const std::string& why, bool closes) {
  std::map<std::uint64_t, OpenAsk> asks;
  std::map<std::uint64_t, RequestPort> asked;
  SendQueue::Unsent unsent;
  std::shared_ptr<PeerHome> home;
  {
    const std::lock_guard guard(lock_);
    home = home_;
    if (closes) home_ = nullptr;
    ++epoch_;
    if (!mutant("old_epoch_is_delivered_in_the_next") || closes) unsent = queue_->clear(closes);
    asks.swap(asks_);
    asked.swap(asked_);
    untaken_bytes_ = 0;
  }
  owed_ = {};
  actors_->lost({ExitReason::Kind::no_connection, why});
  for (auto& [request, ask] : asks) end(ask, AskErrorKind::no_connection, why);
  for (auto& [request, port] : asked) troupe::detail::give_up_remote_ask(port);
  for (const auto& waiter : unsent.waiters) waiter->dropped(true);
  if (home == nullptr) return;
  for (const Pair& pair : unsent.pairs)
    troupe::detail::report_remote_drop(home->system(), home->actor_of(pair.sender),
                                       actor(pair.receiver), "a message that waited",
                                       DropReason::no_connection);
}

void Peer::describe(PeerStatus& status) {
  const std::lock_guard guard(lock_);
  status.asks_there = asks_.size();
  status.asks_here = asked_.size();
  status.untaken_bytes_here = untaken_bytes_;
  status.waiting_bytes = queue_->bytes();
  status.untaken_bytes_there = queue_->untaken_bytes();
}

void Peer::sweep() {
  queue_->sweep();
  std::vector<std::pair<std::uint64_t, Pair>> given_up;
  {
    const std::lock_guard guard(lock_);
    for (auto at = asks_.begin(); at != asks_.end();) {
      const bool is_over =
          at->second.port.slot != nullptr && troupe::detail::is_over(at->second.port);
      if (!is_over) {
        ++at;
        continue;
      }
      given_up.emplace_back(at->first, at->second.pair);
      at = asks_.erase(at);
    }
  }
  for (const auto& [request, pair] : given_up) {
    const std::array frame{frame_header(FrameKind::cancel, 1), Word{request}};
    static_cast<void>(put(pair, frame, Carries::cancel));
  }
}

}  // namespace troupe::remoting::detail
