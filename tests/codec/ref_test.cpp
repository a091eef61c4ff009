// Refs in messages, and sends that are made to go through their codec.
#include <array>

#include <catch2/catch.hpp>
#include <troupe/codec/codec.hpp>
#include <troupe/codec_testkit/serialized_sends.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/testkit/testkit.hpp>

#include "codec/shop.capnp.hpp"

using namespace shop;
using troupe::Ref;
using troupe::codec::CodecError;
using troupe::codec::decode;
using troupe::codec::encode;
using troupe::testkit::Schedule;
using troupe::testkit::SerializedSends;
using troupe::testkit::TestSystem;

namespace {

class Desk : public troupe::Actor<OrderDesk> {
 public:
  Receipt receive(const Order& m) { return {.order = m.id}; }
  void receive(const Cancel&) {}
  std::uint64_t receive(const CountOrders&) const { return 7; }
};

struct Note {
  std::string text;
};
class Chief : public troupe::Actor<Dispatcher, Note> {
 public:
  void receive(const Assign& m) { assigned = m; }
  void receive(const Note& m) { note = m.text; }
  static inline Assign assigned;
  static inline std::string note;
};

}  // namespace

TEST_CASE("refs travel in messages, and come home as what they were", "[codec]") {
  TestSystem system{1};
  const SerializedSends names{system};
  const auto desk = system.spawn<Desk>();
  const auto other = system.spawn<Desk>();
  const auto chief = system.spawn<Chief>();
  Assign m{.order = "a-1", .desk = desk, .others = {other, {}, desk}, .deputy = other};
  m.next.which = Assign::Next::Dispatcher{chief};
  const auto back = decode<Assign>(encode(m), system);
  REQUIRE(back == m);
  auto asked = back.others[0].ask(CountOrders{});
  system.settle();
  REQUIRE(asked.await() == 7);
  REQUIRE(to_string(back).find(desk.to_string()) != std::string::npos);
}

TEST_CASE("a ref to nobody stays one", "[codec]") {
  const Assign m{.order = "a-1", .others = {{}, {}}, .deputy = Ref<OrderDesk>{}};
  const auto back = decode<Assign>(encode(m));
  REQUIRE(back == m);
  REQUIRE(!back.desk);
  REQUIRE(back.deputy.has_value());
}

TEST_CASE("a ref to an actor that has ended names nobody elsewhere", "[codec]") {
  TestSystem system{1};
  const SerializedSends names{system};
  const auto desk = system.spawn<Desk>();
  system.stop(desk).await();
  REQUIRE(!decode<Assign>(encode(Assign{.desk = desk}), system).desk);
}

TEST_CASE("a ref neither leaves a System that is no node nor is read for none", "[codec]") {
  TestSystem alone{1};
  const auto homebody = alone.spawn<Desk>();
  REQUIRE_THROWS_AS(encode(Assign{.desk = homebody}), troupe::UsageError);
  TestSystem node{2};
  const SerializedSends names{node};
  const auto desk = node.spawn<Desk>();
  const auto words = encode(Assign{.desk = desk});
  REQUIRE_THROWS_AS(decode<Assign>(words), CodecError);
  REQUIRE_THROWS_AS(decode<Assign>(words, alone), CodecError);
  REQUIRE_THROWS_AS(troupe::detail::set_ref_names(node, nullptr), troupe::UsageError);
}

TEST_CASE("numbers of actors that ended are forgotten, those of living ones stay", "[codec]") {
  TestSystem system{1};
  troupe::detail::ActorNumbers numbers;
  const auto keeper = system.spawn<Desk>();
  const std::uint64_t kept = numbers.of(keeper.address());
  std::uint64_t last = kept;
  for (int i = 0; i < 5000; ++i) {
    const auto passing = system.spawn<Desk>();
    const std::uint64_t number = numbers.of(passing.address());
    REQUIRE(number > last);  // nobody gets one that was another's
    last = number;
    REQUIRE(Ref<>{numbers.find(number)} == Ref<>{passing.address()});
    system.stop(passing).await();
    REQUIRE(!Ref<>{numbers.find(number)});
  }
  REQUIRE(numbers.size() <= 1024);
  REQUIRE(numbers.of(keeper.address()) == kept);
}

TEST_CASE("S143 sends can be made to go through their codec, to find what would not survive",
          "[codec]") {
  TestSystem system{1};
  SerializedSends sends{system};
  const auto desk = system.spawn<Desk>();
  const auto chief = system.spawn<Chief>();
  Chief::assigned = {};
  Assign m{.order = std::string(100, 'x'), .desk = desk};
  chief.tell(m);
  chief.tell(Note{"local"});
  auto receipt = desk.ask(Order{.id = "a-2"});
  system.settle();
  REQUIRE(Chief::assigned == m);
  REQUIRE(receipt.await().order == "a-2");
  REQUIRE(Chief::note == "local");
  REQUIRE(sends.count() == 2);
  REQUIRE(sends.losses().size() == 1);
  REQUIRE(sends.losses()[0].find("Note: has no schema") != std::string::npos);
}

TEST_CASE("a message nested too deeply is found out, and arrives all the same", "[codec]") {
  TestSystem system{1};
  const SerializedSends sends{system};
  const auto desk = system.spawn<Desk>();
  Order order{.id = "outermost"};
  for (int i = 0; i < 70; ++i) {
    Order outer{.id = "outer"};
    outer.children.push_back(std::move(order));
    order = std::move(outer);
  }
  auto receipt = desk.ask(order);
  system.settle();
  REQUIRE(receipt.await().order == "outer");
  REQUIRE(sends.losses().size() == 1);
}

TEST_CASE("sends are looked at on a seeded schedule only", "[codec]") {
  TestSystem system{1, Schedule::threads};
  REQUIRE_THROWS_AS(SerializedSends{system}, troupe::UsageError);
}
