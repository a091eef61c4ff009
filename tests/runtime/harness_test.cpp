// Harness<T>: one actor alone.
#include <troupe/testkit/testkit.hpp>

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using troupe::testkit::ExpectationFailed;
using troupe::testkit::Harness;

namespace {

struct Charge {
  std::string order;
  int cents;
  using Reply = bool;
};
struct Shipped {
  std::string order;
};
struct Audit {
  std::string text;
};
struct PlaceOrder {
  std::string id;
  int cents;
  using Reply = std::string;
};
struct Remind {
  std::string order;
};
struct Escalate {
  using Reply = bool;
};
struct PaymentApi : troupe::Protocol<Charge, Escalate> {};
struct Log : troupe::Protocol<Audit, Shipped> {};

class Packer : public troupe::Actor<Shipped> {
 public:
  void receive(const Shipped&) { FAIL("the harness delivers nothing to children"); }
};

class Processor : public troupe::Actor<PlaceOrder, Escalate, troupe::Private<Remind>> {
 public:
  Processor(troupe::Ref<PaymentApi> payments, troupe::Ref<Log> log)
      : payments_(payments), log_(log) {}
  void on_start() override {
    packer_ = spawn<Packer>({.name = "packer"});
    every("heartbeat", 10s, Remind{"all"});
  }
  std::string receive(const PlaceOrder& m) {
    if (m.cents < 0) throw std::logic_error("negative amount");
    log_.tell(Audit{"order " + m.id});
    start_timer("remind", 1min, Remind{m.id});
    if (!payments_.ask(Charge{m.id, m.cents}, 2s).await()) return "declined";
    packer_.tell(Shipped{m.id});
    log_.tell_after(5s, Shipped{m.id});
    log_.tell_urgent(Audit{"charged " + m.id});
    cancel_timer("remind");
    return "done";
  }
  troupe::Forwarded<bool> receive(Escalate&& m) { return forward(payments_, std::move(m)); }
  void receive(const Remind& m) { log_.tell(Audit{"remind " + m.order}); }

 private:
  troupe::Ref<PaymentApi> payments_;
  troupe::Ref<Log> log_;
  troupe::Ref<Packer> packer_;
};

struct Order : Harness<Processor> {
  troupe::Ref<PaymentApi> payments = stand_in<PaymentApi>("payments");
  troupe::Ref<Log> log = stand_in<Log>();
  troupe::Ref<Packer> packer;
  Order() {
    start(payments, log);
    packer = spawned<Packer>("packer");
  }
};

}  // namespace

TEST_CASE("a harness shows what one actor told, asked, spawned and timed", "[testkit]") {
  Order h;
  REQUIRE(h.timed<Remind>("heartbeat")->period == 10s);
  auto answer = h.ask(PlaceOrder{"o-1", 100});

  REQUIRE(h.told<Audit>(h.log).text == "order o-1");
  REQUIRE(h.timed<Remind>("remind")->due_in == 1min);
  REQUIRE_FALSE(h.timed<Remind>("remind")->period);
  const auto charge = h.asked<Charge>(h.payments);
  REQUIRE((charge.order == "o-1" && charge.cents == 100));
  h.expect_nothing_else();

  h.reply<Charge>(true);
  REQUIRE(answer.await() == "done");
  REQUIRE(h.told<Shipped>(h.packer).order == "o-1");
  const auto later = h.told_later<Shipped>(h.log);
  REQUIRE((later.message.order == "o-1" && later.delay == 5s));
  REQUIRE(h.told<Audit>().text == "charged o-1");
  REQUIRE_FALSE(h.timed<Remind>("remind"));
  h.expect_nothing_else();
}

TEST_CASE("a harness answers in the place of others: declined, refused, too late", "[testkit]") {
  Order h;
  SECTION("declined") {
    auto answer = h.ask(PlaceOrder{"o-1", 100});
    h.asked<Charge>();
    h.reply<Charge>(false);
    REQUIRE(answer.await() == "declined");
  }
  SECTION("refused") {
    auto answer = h.ask(PlaceOrder{"o-1", 100});
    h.asked<Charge>();
    h.refuse<Charge>("closed");
    REQUIRE_THROWS_AS(answer.await(), troupe::Refused);
  }
  SECTION("nobody answers") {
    auto answer = h.ask(PlaceOrder{"o-1", 100});
    const auto before = h.system().now();
    REQUIRE_THROWS_AS(answer.await(), troupe::AskTimeout);
    REQUIRE(h.system().now() - before == 2s);
  }
  SECTION("a forwarded request is answered to its asker") {
    auto answer = h.ask(Escalate{});
    h.asked<Escalate>(h.payments);
    h.reply<Escalate>(true);
    REQUIRE(answer.await());
  }
  REQUIRE_FALSE(h.ended());
}

TEST_CASE("a harness lets time pass, and sends private messages", "[testkit]") {
  Order h;
  h.advance(20s);
  REQUIRE(h.told<Audit>().text == "remind all");
  REQUIRE(h.told<Audit>().text == "remind all");
  h.tell(Remind{"o-7"});
  REQUIRE(h.told<Audit>().text == "remind o-7");
  h.expect_nothing_else();
}

TEST_CASE("a harness says what the actor did instead of what was expected", "[testkit]") {
  Order h;
  h.tell(Remind{"o-7"});
  REQUIRE_THROWS_WITH(h.asked<Charge>(), Catch::Contains("has not asked") &&
                                             Catch::Contains("Charge") && Catch::Contains("told") &&
                                             Catch::Contains("Audit"));
  REQUIRE_THROWS_AS(h.expect_nothing_else(), ExpectationFailed);
  REQUIRE_THROWS_AS(h.told<Audit>(h.payments), ExpectationFailed);
  REQUIRE_THROWS_AS(h.reply<Charge>(true), ExpectationFailed);
  REQUIRE_THROWS_AS(h.spawned<Packer>(), ExpectationFailed);
  REQUIRE_THROWS_AS(h.start(h.payments, h.log), ExpectationFailed);
}

TEST_CASE("a harness sees how its actor ended", "[testkit]") {
  Order h;
  REQUIRE_THROWS_AS(h.ask(PlaceOrder{"o-1", -1}).await(), troupe::ReceiverDown);
  REQUIRE(h.ended()->to_string().find("negative amount") != std::string::npos);
  REQUIRE_FALSE(h.timed<Remind>("heartbeat"));
}
