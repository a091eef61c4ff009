// Nodes over a TCP connection that is slow, cut, half open, or passes one byte at a time. Real
// sockets and threads.
#include "faulty_proxy.hpp"

#include <catch2/catch.hpp>
#include <troupe/remoting/node.hpp>
#include <troupe/remoting/tcp.hpp>

#include "remoting/cluster.capnp.hpp"

using namespace std::chrono_literals;
using namespace cluster_test;
using troupe::Actor;
using troupe::Ask;
using troupe::AskErrorKind;
using troupe::Down;
using troupe::Ref;
using troupe::System;
using troupe::remoting::Node;
using troupe::remoting::NodeOptions;
using troupe::remoting::TcpTransport;
using troupe::test::FaultyProxy;

namespace {

/// Looks that notes come one after the other.
class Orderly : public Actor<Add, Note, Payload, Said> {
 public:
  void receive(const Said& m) { next_ = m.n; }
  Sum receive(const Add&) { return {is_in_order_ ? next_ : 0}; }
  void receive(const Note& m) { is_in_order_ = is_in_order_ && m.n == next_++; }
  void receive(const Payload& m) { is_in_order_ = is_in_order_ && m.bytes.size() == next_++; }

 private:
  std::uint64_t next_ = 1;
  bool is_in_order_ = true;
};

class Watcher : public Actor<Introduce, Add> {
 public:
  void receive(const Introduce& m) { monitor(m.to); }
  void receive(const Down& m) { downs_ += m.why.kind() == troupe::ExitReason::Kind::no_connection; }
  Sum receive(const Add&) { return {downs_}; }

 private:
  std::uint64_t downs_ = 0;
};

NodeOptions options(const std::string& name) {
  NodeOptions o;
  o.name = name;
  o.key = std::vector<std::byte>(32, std::byte{'k'});
  o.heartbeat_interval = 100ms;
  o.backoff_min = 10ms;
  return o;
}

/// `a` reaches `b` by way of the proxy.
struct World {
  World() : b(system_b, reached_at(proxy.address()), TcpTransport::create()) {
    proxy.forward_to(listens_at);
    system_b.spawn<Orderly>({.name = "orderly"});
    orderly = resolve();
  }
  NodeOptions reached_at(const std::string& address) {
    NodeOptions o = options("b");
    asio::io_context io;  // a free port
    const asio::ip::tcp::acceptor free(io, {asio::ip::make_address("127.0.0.1"), 0});
    listens_at = "127.0.0.1:" + std::to_string(free.local_endpoint().port());
    o.address = listens_at;
    o.advertised_address = address;
    return o;
  }
  Ref<Orderly> resolve() {
    auto found = a.resolve<Orderly>("troupe://" + b.address() + "/orderly").try_await();
    while (!found) found = a.resolve<Orderly>("troupe://" + b.address() + "/orderly").try_await();
    return *found;
  }
  /// Once more, with however many attempts that takes.
  std::uint64_t ask() {
    auto sum = orderly.ask(Add{}, 30s).try_await();
    while (!sum) sum = orderly.ask(Add{}, 30s).try_await();
    return sum->value;
  }
  /// How many it was told of, once that is as many as are due: what the loop tells and what this
  /// thread asks have no order.
  static std::uint64_t downs_of(const Ref<Watcher>& watcher, std::uint64_t due) {
    std::uint64_t downs = 0;
    while (downs < due) downs = watcher.ask(Add{}).await().value;
    return downs;
  }
  std::string listens_at;
  FaultyProxy proxy;
  System system_a;
  System system_b;
  Node a{system_a, options("a"), TcpTransport::create()};
  Node b;
  Ref<Orderly> orderly;
};

}  // namespace

TEST_CASE("S88 over a connection that passes one byte at a time all comes, in its order",
          "[remoting]") {
  World w;
  w.proxy.piece_max = 1;
  std::uint64_t n = 1;
  for (; n <= 200; ++n) w.orderly.tell(Note{n});
  for (; n <= 210; ++n) w.orderly.tell(Payload{std::vector<std::byte>(n)});
  REQUIRE(w.ask() == 211);
}

TEST_CASE("S88 over a slow connection large messages and small ones keep their order",
          "[remoting]") {
  World w;
  w.proxy.delay = 1ms;
  constexpr std::uint64_t large = 300'000;  // goes in chunks
  w.orderly.tell(Said{0, large, {}});
  std::uint64_t n = large;
  for (; n < large + 50; ++n) {
    n % 10 == 0 ? w.orderly.tell(Payload{std::vector<std::byte>(n)}) : w.orderly.tell(Note{n});
  }
  REQUIRE(w.ask() == large + 50);
}

TEST_CASE("F11 C87 a connection that is cut fails asks, is told once, and is made again",
          "[remoting]") {
  World w;
  const auto watcher = w.system_a.spawn<Watcher>();
  for (std::uint64_t round = 1; round <= 5; ++round) {
    watcher.tell(Introduce{w.orderly, 0});
    REQUIRE(watcher.ask(Add{}).await().value == round - 1);
    static_cast<void>(w.ask());  // the watch is there: it went before
    w.proxy.is_stuck = true;
    std::vector<Ask<Sum>> asks;
    for (int i = 0; i < 20; ++i) asks.push_back(w.orderly.ask(Add{}, 60s));
    w.proxy.cut();
    for (auto& ask : asks) {
      const auto outcome = ask.try_await();
      REQUIRE((outcome || outcome.error().kind == AskErrorKind::no_connection));
    }
    w.proxy.is_stuck = false;
    static_cast<void>(w.ask());
    REQUIRE(w.downs_of(watcher, round) == round);
  }
}

TEST_CASE("C89 a connection that is half open is given up", "[remoting]") {
  World w;
  const auto watcher = w.system_a.spawn<Watcher>();
  watcher.tell(Introduce{w.orderly, 0});
  REQUIRE(watcher.ask(Add{}).await().value == 0);
  static_cast<void>(w.ask());
  w.proxy.is_stuck = true;
  const auto outcome = w.orderly.ask(Add{}, 120s).try_await();
  REQUIRE(outcome.error().kind == AskErrorKind::no_connection);
  REQUIRE(w.downs_of(watcher, 1) == 1);
  w.proxy.cut();
  w.proxy.is_stuck = false;
  REQUIRE(w.ask() == 1);
}
