#include "signal_frame.hpp"

#include <string>

#include "schema/wire.capnp.hpp"

namespace troupe::remoting::detail {

using troupe::detail::RemoteSignal;

namespace {

wire::Reason reason_of(const ExitReason& why) {
  return {.kind = static_cast<std::uint8_t>(why.kind()), .text = std::string(why.text())};
}
ExitReason reason_from(const wire::Reason& reason) {
  const bool is_known = reason.kind <= static_cast<std::uint8_t>(ExitReason::Kind::no_connection);
  return {is_known ? static_cast<ExitReason::Kind>(reason.kind) : ExitReason::Kind::failure,
          reason.text};
}

void append_stop(std::vector<Word>& out, const NumberedSignal& n) {
  const RemoteSignal& s = n.signal;
  wire::Stop stop{.from = n.from, .to = n.to, .way = wire::StopWay::kill, .limit = 0, .reason = {}};
  stop.reason = reason_of(s.why);
  if (s.kind == RemoteSignal::Kind::poison) stop.way = wire::StopWay::behind_mail;
  if (s.kind == RemoteSignal::Kind::stop) {
    stop.way = s.flag    ? wire::StopWay::own_limit
               : s.limit ? wire::StopWay::limit
                         : wire::StopWay::unlimited;
    stop.limit = s.limit.value_or(Duration::zero()).count();
  }
  append_struct(out, FrameKind::stop, stop);
}

NumberedSignal read_stop(std::span<const Word> body) {
  const auto stop = read_struct<wire::Stop>(body);
  NumberedSignal n{stop.from, stop.to, {.kind = RemoteSignal::Kind::stop}};
  n.signal.why = reason_from(stop.reason);
  switch (stop.way) {
    case wire::StopWay::limit: n.signal.limit = Duration{stop.limit}; break;
    case wire::StopWay::own_limit: n.signal.flag = true; break;
    case wire::StopWay::unlimited: break;
    case wire::StopWay::behind_mail: n.signal.kind = RemoteSignal::Kind::poison; break;
    case wire::StopWay::kill: n.signal.kind = RemoteSignal::Kind::kill; break;
  }
  return n;
}

}  // namespace

void append_signal(std::vector<Word>& out, const NumberedSignal& n) {
  const RemoteSignal& s = n.signal;
  switch (s.kind) {
    case RemoteSignal::Kind::watch:
      append_struct(out, FrameKind::watch, wire::Watch{n.from, n.to, s.token, s.flag});
      break;
    case RemoteSignal::Kind::unwatch:
      append_struct(out, FrameKind::unwatch, wire::Unwatch{n.from, n.to, s.token});
      break;
    case RemoteSignal::Kind::down:
    case RemoteSignal::Kind::restarted:
      append_struct(out, FrameKind::down,
                    wire::Down{n.from, n.to, s.token, reason_of(s.why),
                               s.kind == RemoteSignal::Kind::restarted});
      break;
    case RemoteSignal::Kind::link:
    case RemoteSignal::Kind::unlink:
      append_struct(out, s.kind == RemoteSignal::Kind::link ? FrameKind::link : FrameKind::unlink,
                    wire::Link{n.from, n.to, s.token, s.other_token});
      break;
    case RemoteSignal::Kind::exit:
      append_struct(out, FrameKind::exit, wire::Exit{n.from, n.to, reason_of(s.why), s.flag});
      break;
    case RemoteSignal::Kind::stop:
    case RemoteSignal::Kind::poison:
    case RemoteSignal::Kind::kill: append_stop(out, n); break;
  }
}

bool is_signal(FrameKind kind) noexcept {
  return kind >= FrameKind::watch && kind <= FrameKind::stop;
}

NumberedSignal read_signal(const Frame& frame) {
  switch (frame.kind) {
    case FrameKind::watch: {
      const auto watch = read_struct<wire::Watch>(frame.body);
      return {
          watch.from,
          watch.to,
          {.kind = RemoteSignal::Kind::watch, .token = watch.token, .flag = watch.incarnations}};
    }
    case FrameKind::unwatch: {
      const auto unwatch = read_struct<wire::Unwatch>(frame.body);
      return {
          unwatch.from, unwatch.to, {.kind = RemoteSignal::Kind::unwatch, .token = unwatch.token}};
    }
    case FrameKind::down: {
      const auto down = read_struct<wire::Down>(frame.body);
      return {down.from,
              down.to,
              {.kind = down.restarted ? RemoteSignal::Kind::restarted : RemoteSignal::Kind::down,
               .token = down.token,
               .why = reason_from(down.reason)}};
    }
    case FrameKind::link:
    case FrameKind::unlink: {
      const auto link = read_struct<wire::Link>(frame.body);
      const bool is_link = frame.kind == FrameKind::link;
      return {link.from,
              link.to,
              {.kind = is_link ? RemoteSignal::Kind::link : RemoteSignal::Kind::unlink,
               .token = link.token,
               .other_token = link.other}};
    }
    case FrameKind::exit: {
      const auto exit = read_struct<wire::Exit>(frame.body);
      return {exit.from,
              exit.to,
              {.kind = RemoteSignal::Kind::exit,
               .flag = exit.of_link,
               .why = reason_from(exit.reason)}};
    }
    case FrameKind::stop: return read_stop(frame.body);
    default: throw ProtocolError("a frame that is no signal");
  }
}

}  // namespace troupe::remoting::detail
