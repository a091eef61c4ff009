// The same over real sockets and threads.
#include <array>
#include <thread>

#include <asio.hpp>
#include <catch2/catch.hpp>
#include <troupe/remoting/node.hpp>
#include <troupe/remoting/tcp.hpp>

#include "remoting/cluster.capnp.hpp"

using namespace std::chrono_literals;
using namespace cluster_test;
using troupe::Actor;
using troupe::AskErrorKind;
using troupe::Ref;
using troupe::System;
using troupe::remoting::Node;
using troupe::remoting::NodeOptions;
using troupe::remoting::TcpTransport;

namespace {

class Adder : public Actor<Add, Note, WhoAreYou, Payload> {
 public:
  Sum receive(const Add& m) { return {sum_ += m.n}; }
  void receive(const Note& m) { sum_ += m.n; }
  IAm receive(const WhoAreYou&) { return {}; }
  void receive(const Payload& m) { sum_ += m.bytes.size(); }

 private:
  std::uint64_t sum_ = 0;
};

NodeOptions options(const std::string& name) {
  NodeOptions o;
  o.name = name;
  o.key = std::vector<std::byte>(32, std::byte{'k'});
  return o;
}

struct Member {
  explicit Member(const std::string& name) : node(system, options(name), TcpTransport::create()) {}
  System system;
  Node node;
};

}  // namespace

TEST_CASE("S84 over TCP an actor of another node is told and asked as one's own", "[remoting]") {
  Member a{"a"};
  Member b{"b"};
  b.system.spawn<Adder>({.name = "adder"});
  const auto remote = a.node.resolve<Adder>("troupe://" + b.node.address() + "/adder").await();
  std::uint64_t sum = 0;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 1000; ++i) remote.tell(Note{1});
    sum = remote.ask(Add{0}).await().value;
  }
  REQUIRE(sum == 20'000);
  remote.tell(Payload{std::vector<std::byte>(std::size_t{5} << 20)});
  REQUIRE(remote.ask(Add{0}).await().value == sum + (std::size_t{5} << 20));
}

namespace {

/// Has an adder made on another node, and lets it add.
class Delegator : public Actor<Add> {
 public:
  Delegator(Node& node, std::string there) : node_(node), there_(std::move(there)) {}
  Sum receive(const Add& m) {
    const auto adder = node_.spawn_on<Adder>({there_, "adder", self()}, Note{100}).await();
    return adder.ask(m).await();
  }

 private:
  Node& node_;
  std::string there_;
};

}  // namespace

TEST_CASE("S92 S45 over TCP an actor has children on another node, which end with it",
          "[remoting]") {
  Member a{"a"};
  System system;
  NodeOptions o = options("b");
  o.factories["adder"] =
      troupe::remoting::spawn_factory<Note>([](const Note&) { return troupe::factory<Adder>(); });
  const Node b(system, o, TcpTransport::create());
  const auto delegator = a.system.spawn<Delegator>(a.node, "troupe://" + b.address());
  for (std::uint64_t i = 0; i < 100; ++i) REQUIRE(delegator.ask(Add{i}).await() == Sum{i});
  REQUIRE(system.actors().size() >= 100);
  a.system.stop(delegator).await();
  while (!system.actors().empty()) std::this_thread::yield();
}

TEST_CASE("S84 a node is found under another name of its address as well", "[remoting]") {
  Member a{"a"};
  Member b{"b"};
  b.system.spawn<Adder>({.name = "adder"});
  const std::string port = b.node.address().substr(b.node.address().rfind(':'));
  const auto one = a.node.resolve<Adder>("troupe://127.0.0.1" + port + "/adder").await();
  const auto other = a.node.resolve<Adder>("troupe://localhost" + port + "/adder").await();
  REQUIRE(Ref<>{one} == Ref<>{other});
  REQUIRE(other.ask(Add{1}).await() == Sum{1});
}

TEST_CASE("C177 what was told before a node ends still arrives", "[remoting]") {
  Member b{"b"};
  const auto adder = b.system.spawn<Adder>({.name = "adder"});
  {
    Member a{"a"};
    const auto remote = a.node.resolve<Adder>("troupe://" + b.node.address() + "/adder").await();
    for (int i = 0; i < 1000; ++i) remote.tell(Note{1});
  }
  REQUIRE(adder.ask(Add{0}).await().value == 1000);
}

TEST_CASE("C184 a port that is taken is said at the start", "[remoting]") {
  Member a{"a"};
  System system;
  NodeOptions o = options("b");
  o.address = a.node.address();
  REQUIRE_THROWS_AS(Node(system, o, TcpTransport::create()), std::system_error);
}

TEST_CASE("section 7: of those who say nothing the oldest makes room", "[remoting]") {
  System system;
  NodeOptions o = options("a");
  o.handshake_max = 1h;
  const Node node(system, o, TcpTransport::create());
  asio::io_context io;
  const std::string address = node.address();
  const asio::ip::tcp::endpoint there(
      asio::ip::make_address("127.0.0.1"),
      static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
  std::vector<asio::ip::tcp::socket> silent;
  const auto say_nothing = [&] {
    silent.emplace_back(io).connect(there);
    std::array<char, 8> preface;
    asio::read(silent.back(), asio::buffer(preface));
  };
  for (int i = 0; i < 64; ++i) say_nothing();
  REQUIRE(silent.front().available() == 0);
  say_nothing();
  std::array<char, 1> byte;
  asio::error_code end;
  silent[0].read_some(asio::buffer(byte), end);
  REQUIRE(end == asio::error::eof);
  silent[1].non_blocking(true);
  silent[1].read_some(asio::buffer(byte), end);
  REQUIRE(end == asio::error::would_block);  // it may go on
}

TEST_CASE("F19 without TLS a node listens on loopback only", "[remoting]") {
  System system;
  NodeOptions o = options("a");
  o.address = "0.0.0.0:0";
  o.advertised_address = "127.0.0.1:0";
  REQUIRE_THROWS_AS(Node(system, o, TcpTransport::create()), troupe::UsageError);
}
