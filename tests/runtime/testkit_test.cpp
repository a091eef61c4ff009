// The test kit itself.
#include <troupe/testkit/testkit.hpp>

#include <set>

#include <catch2/catch.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::testkit::ExpectationFailed;
using troupe::testkit::Probe;
using troupe::testkit::Schedule;
using troupe::testkit::TestSystem;

namespace {

struct Charge {
  std::string id;
  int cents;
  using Reply = bool;
};
struct Other {};
struct PaymentApi : troupe::Protocol<Charge, Other> {};

std::uint64_t trace_of(std::uint64_t seed) {
  TestSystem system{seed};
  Probe<Charge> a{system};
  Probe<Charge> b{system};
  for (int i = 0; i < 20; ++i) {
    a.ref().tell(Charge{"a", i});
    b.ref().tell(Charge{"b", i});
  }
  system.settle();
  return system.trace_hash();
}

struct Go {};
class Idle : public troupe::Actor<Go> {
 public:
  void receive(const Go&) {}
};
class Linked : public troupe::Actor<Go> {
 public:
  explicit Linked(std::vector<troupe::Ref<Idle>> peers) : peers_(std::move(peers)) {}
  void on_start() override {
    for (const auto& peer : peers_) link(peer);
  }
  void receive(const Go&) { throw std::runtime_error("boom"); }

 private:
  std::vector<troupe::Ref<Idle>> peers_;
};
/// The trace of an actor that ends with links; as many cells have lived before as `reused` says.
std::uint64_t trace_with_links(int reused) {
  {
    TestSystem before{1};
    for (int i = 0; i < reused; ++i) before.spawn<Idle>();
  }
  TestSystem system{7};
  std::vector<troupe::Ref<Idle>> peers;
  for (int i = 0; i < 20; ++i) peers.push_back(system.spawn<Idle>());
  const auto linked = system.spawn<Linked>(peers);
  system.settle();
  linked.tell(Go{});
  system.settle();
  return system.trace_hash();
}

}  // namespace

TEST_CASE("S142 expecting no message costs no time, an hour of it either", "[testkit]") {
  TestSystem system{42};
  Probe<Charge> probe{system};
  probe.ref().tell(Charge{"order-1", 100});
  REQUIRE(probe.expect<Charge>(3s).cents == 100);
  const auto before = system.now();
  probe.expect_no_message(1h);
  REQUIRE(system.now() - before == 1h);
}

TEST_CASE("S141 the same seed gives the same trace, other seeds other schedules", "[testkit]") {
  std::set<std::uint64_t> traces;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    REQUIRE(trace_of(seed) == trace_of(seed));
    traces.insert(trace_of(seed));
  }
  REQUIRE(traces.size() == 10);
}

TEST_CASE("S141 a trace does not depend on where actors lie in memory", "[testkit]") {
  std::set<std::uint64_t> traces;
  for (int reused = 0; reused < 20; ++reused) traces.insert(trace_with_links(reused));
  REQUIRE(traces.size() == 1);
}

TEST_CASE("failed expectations throw, and name what came and the seed", "[testkit]") {
  TestSystem system{77};
  Probe<Charge, Other> probe{system};
  REQUIRE_THROWS_AS(probe.expect<Charge>(), ExpectationFailed);
  probe.ref().tell(Other{});
  REQUIRE_THROWS_WITH(probe.expect<Charge>(),
                      Catch::Contains("Other") && Catch::Contains("seed 77"));
  probe.ref().tell(Other{});
  REQUIRE_THROWS_AS(probe.expect_no_message(), ExpectationFailed);
}

TEST_CASE("a probe answers requests - Unavailable refuses them", "[testkit]") {
  troupe::test::on_every_schedule([](TestSystem& system) {
    Probe<Charge> probe{system};
    auto answer = probe.ref().ask(Charge{"x", 1});
    probe.expect<Charge>();
    probe.reply<Charge>(true);
    REQUIRE(answer.await());
    auto down = system.spawn<troupe::testkit::Unavailable<PaymentApi>>();
    REQUIRE_THROWS_AS(down.ask(Charge{"x", 1}).await(), troupe::Refused);
    REQUIRE(down.tell(Other{}) == troupe::Sent::ok);
  });
}

TEST_CASE("an actor is a class: call it", "[testkit]") {
  struct Deposit {
    int cents;
  };
  class Account : public troupe::Actor<Deposit> {
   public:
    void receive(const Deposit& m) { balance += m.cents; }
    int balance = 0;
  };
  Account account;
  account.receive(Deposit{5});
  REQUIRE(account.balance == 5);
}
