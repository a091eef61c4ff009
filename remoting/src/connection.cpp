#include "connection.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::remoting::detail {

using troupe::detail::mutant;

namespace {

/// How often a silent peer is looked at, beside its heartbeats' interval.
constexpr int looks_per_heartbeat = 4;

/// A batch costs about the same whether it has few bytes or so many.
constexpr std::size_t small_batch_bytes = 16 << 10;
/// About as long as it takes to wake who receives it.
constexpr std::chrono::microseconds rest{20};

bool is_known(FrameKind kind) noexcept {
  switch (kind) {
    case FrameKind::credit:
    case FrameKind::tell:
    case FrameKind::ask:
    case FrameKind::answer:
    case FrameKind::cancel:
    case FrameKind::watch:
    case FrameKind::unwatch:
    case FrameKind::down:
    case FrameKind::link:
    case FrameKind::unlink:
    case FrameKind::exit:
    case FrameKind::stop:
    case FrameKind::resolve:
    case FrameKind::spawn: return true;
    default: return false;
  }
}

}  // namespace

Connection::Connection(HandshakeTerms terms, const ConnectionOptions& options, Wire& wire,
                       ConnectionEvents events, TimePoint now)
    : options_(options),
      wire_(wire),
      events_(std::move(events)),
      handshake_(std::move(terms)),
      chunks_(options.chunks),
      queue_(std::make_shared<SendQueue>(options.queue)),
      handshake_until_(deadline_after(now, options.handshake_max)) {
  handshake_.begin(answer_);
  send_handshake();
}

void Connection::end(ConnectionEnd end, const std::string& why) {
  if (std::exchange(state_, State::over) == State::over) return;
  wire_.close();
  events_.over(end, why);
}

void Connection::lost(const std::string& why) {
  if (is_goodbye_sent_ && heard_goodbye_) {
    end(ConnectionEnd::goodbye, "");
  } else {
    end(ConnectionEnd::lost, why);
  }
}

// ---- what is sent

void Connection::send_handshake() {
  if (is_sending_ || answer_.empty()) return;
  sending_ = std::exchange(answer_, {});
  is_sending_ = true;
  wire_.send(sending_);
}

void Connection::flush() {
  if (is_sending_ || state_ != State::ready) return;
  if (is_goodbye_sent_) return;  // it is the last
  std::span<const Word> batch = queue_->next_batch();
  if (batch.empty() && says_goodbye_) {
    is_goodbye_sent_ = true;
    sending_ = {frame_header(FrameKind::goodbye, 0)};
    batch = sending_;
  }
  if (batch.empty()) return;
  is_sending_ = true;
  wire_.send(batch);
}

/// Messages come one after the other, and faster than small batches go: the next one waits for
/// more. Where nothing has come while the last one went, the next message goes at once.
bool Connection::takes_a_rest() {
  const bool may = state_ == State::ready && !says_goodbye_ && !has_rested_;
  has_rested_ = may && queue_->has_little(small_batch_bytes);
  if (!has_rested_) return false;
  is_sending_ = true;
  wire_.rest(rest);
  return true;
}

void Connection::sent(TimePoint now) {
  is_sending_ = false;
  if (state_ == State::over) return;
  send_handshake();
  if (ends_when_sent_) {
    end(ends_when_sent_->first, ends_when_sent_->second);
    return;
  }
  if (is_sending_ || takes_a_rest()) return;
  flush();
  if (is_sending_ || !is_goodbye_sent_) return;
  if (heard_goodbye_) {
    end(ConnectionEnd::goodbye, "");
  } else {
    goodbye_until_ = deadline_after(now, options_.goodbye_max);
  }
}

void Connection::say_goodbye() {
  if (state_ == State::handshake) {
    end(ConnectionEnd::given_up, "this node is going");
    return;
  }
  if (state_ == State::over || std::exchange(says_goodbye_, true)) return;
  flush();
}

// ---- what comes

/// The peer is to hear why, also where what was sent before is still on its way.
void Connection::end_handshake(ConnectionEnd why_over, const std::string& why) {
  send_handshake();
  if (answer_.empty()) {
    end(why_over, why);
  } else {
    ends_when_sent_ = {why_over, why};
  }
}

void Connection::received(std::size_t bytes, TimePoint now) {
  reader_.received(bytes);
  if (state_ == State::over || ends_when_sent_) return;
  try {
    take_frames(now);
  } catch (const HandshakeFailed& e) {
    if (e.reason()) refusal_ = {*e.reason(), e.by_peer()};
    end_handshake(e.reason() ? ConnectionEnd::refused : ConnectionEnd::protocol_error, e.what());
  } catch (const std::exception& e) {  // a ProtocolError, or what its frames lead to
    end(ConnectionEnd::protocol_error, e.what());
  }
}

void Connection::take_frames(TimePoint now) {
  if (!has_preface_) {
    const auto preface = reader_.preface();
    if (!preface) return;
    has_preface_ = true;
    handshake_.on_preface(*preface);
  }
  while (state_ != State::over) {
    const auto frame = reader_.next();
    if (!frame) return;
    if (state_ == State::handshake) {
      take_handshake_frame(*frame);
      if (handshake_.epoch()) become_ready(now);
    } else {
      take_frame(*frame, now);
    }
  }
}

void Connection::take_handshake_frame(const Frame& frame) {
  handshake_.on_frame(frame, answer_);
  send_handshake();
}

void Connection::become_ready(TimePoint now) {
  state_ = State::ready;
  detector_.emplace(options_.detector, now);
  last_heard_ = now;
  next_heartbeat_ = now;
  events_.ready(handshake_.peer(), *handshake_.epoch());
  wake(now);
}

void Connection::take_frame(const Frame& frame, TimePoint now) {
  if (frame.kind == FrameKind::heartbeat) {
    if (frame.body.size() != 1) throw ProtocolError("a heartbeat without a number");
    last_heard_ = now;
    if (!mutant("heartbeats_are_ignored")) detector_->heartbeat(now);
  } else if (frame.kind == FrameKind::goodbye) {
    take_goodbye();
  } else if (heard_goodbye_) {
    throw ProtocolError("a frame behind its goodbye");
  } else if (frame.kind == FrameKind::chunk) {
    if (const auto whole = chunks_.add(frame.body)) take_frame(*whole, now);
  } else if (frame.kind == FrameKind::refuse) {
    handshake_.on_frame(frame, answer_);  // with TLS a dialer may find out late
  } else if (is_known(frame.kind)) {
    events_.frame(frame);
  } else if (!frame.is_ignorable) {
    throw ProtocolError("a frame of kind " + std::to_string(static_cast<int>(frame.kind)) +
                        ", which this version does not know");
  }
}

void Connection::take_goodbye() {
  heard_goodbye_ = true;
  say_goodbye();
  if (is_goodbye_sent_ && !is_sending_) end(ConnectionEnd::goodbye, "");
}

// ---- time

TimePoint Connection::next_wake() const noexcept {
  switch (state_) {
    case State::handshake: return handshake_until_;
    case State::ready: return std::min(next_heartbeat_, goodbye_until_);
    case State::over: break;
  }
  return TimePoint::max();
}

void Connection::wake(TimePoint now) {
  if (state_ == State::handshake && now >= handshake_until_)
    end(ConnectionEnd::unreachable, "no handshake in time");
  if (state_ != State::ready) return;
  if (now >= goodbye_until_) {
    end(ConnectionEnd::goodbye, "the peer did not answer it in time");
    return;
  }
  if (!detector_->is_available(now)) {
    end(ConnectionEnd::unreachable, "no heartbeat came for too long");
    return;
  }
  if (now < next_heartbeat_) return;
  const Duration look = options_.heartbeat_interval / looks_per_heartbeat;
  if (heartbeats_++ % looks_per_heartbeat == 0) {
    const std::array frame{frame_header(FrameKind::heartbeat, 1),
                           Word{heartbeats_ / looks_per_heartbeat}};
    static_cast<void>(queue_->push_control(frame));
    flush();
  }
  next_heartbeat_ = deadline_after(now, look);
}

}  // namespace troupe::remoting::detail
