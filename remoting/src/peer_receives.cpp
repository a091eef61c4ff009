// What comes from the other node.
#include "peer.hpp"

#include <array>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::remoting::detail {

using troupe::detail::MessageType;
using troupe::detail::mutant;
using troupe::detail::RequestEnvelope;

namespace {

/// They are counted from 1; a larger one would cost memory for nothing.
constexpr std::uint64_t actor_number_max = std::uint64_t{1} << 40;

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

}  // namespace

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

}  // namespace troupe::remoting::detail
