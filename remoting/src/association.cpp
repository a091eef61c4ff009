#include "association.hpp"

#include <utility>

#include <troupe/runtime/detail/remote.hpp>

namespace troupe::remoting::detail {

Line::Line(Transport& transport, std::unique_ptr<Wire> wire, const ConnectionOptions& options,
           Events events)
    : transport_(transport),
      wire_(std::move(wire)),
      options_(options),
      events_(std::move(events)),
      open_until_(deadline_after(transport.now(), options.handshake_max)) {}

void Line::opened(const std::vector<std::string>& uris) {
  ConnectionEvents events{
      .ready = [this](const NodeName& peer, std::uint64_t) { events_.ready(*this, peer); },
      .frame = [this](const Frame& frame) { events_.frame(*this, frame); },
      .over = [this](ConnectionEnd end, const std::string& why) { is_done(end, why); }};
  try {
    connection_.emplace(events_.opened(uris), options_, *wire_, std::move(events),
                        transport_.now());
  } catch (const std::exception& e) {
    end(ConnectionEnd::given_up, e.what());
  }
}

void Line::is_done(ConnectionEnd end, const std::string& why) {
  if (!std::exchange(is_over_, true)) events_.over(*this, end, why);
}

void Line::received(std::size_t bytes) {
  const troupe::detail::HeldWakes whoever_gets_mail;
  connection_->received(bytes, transport_.now());
}

void Line::lost(const std::string& why) {
  if (connection_) {
    connection_->lost(why);
  } else {
    end(ConnectionEnd::lost, why);
  }
}

void Line::untrusted(const std::string& why, bool by_peer) {
  refusal_by_tls_ = {"tls", by_peer};
  end(ConnectionEnd::untrusted, why);
}

std::optional<Line::Refusal> Line::refusal() const {
  if (refusal_by_tls_ || !connection_ || !connection_->refusal()) return refusal_by_tls_;
  const Connection::Refusal& refusal = *connection_->refusal();
  return Refusal{std::string(name_of(refusal.reason)), refusal.by_peer};
}

void Line::end(ConnectionEnd end, const std::string& why) {
  if (connection_) {
    connection_->end(end, why);
  } else {
    wire_->close();
    is_done(end, why);
  }
}

TimePoint Line::next_wake() const noexcept {
  if (is_over_) return TimePoint::max();
  return connection_ ? connection_->next_wake() : open_until_;
}

void Line::wake(TimePoint now) {
  if (connection_) {
    connection_->wake(now);
  } else if (now >= open_until_) {
    end(ConnectionEnd::unreachable, "no connection in time");
  }
}

}  // namespace troupe::remoting::detail
