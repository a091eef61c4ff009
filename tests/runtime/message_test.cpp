// What the type layer knows of messages and handlers.
#include <troupe/runtime/message.hpp>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace message_test {
struct Public {
  int n;
};
struct Bonus {
  Bonus(int v) : n(v) {}                     // NOLINT
  Bonus(const Public& p) : n(p.n + 1000) {}  // NOLINT: a trap for overload resolution
  int n;
};
struct Foreign {};
}  // namespace message_test
template <>
struct troupe::MessageTraits<message_test::Foreign> {
  using Reply = int;
};

namespace {

using namespace message_test;

struct Tick {};
struct Ask {
  using Reply = std::vector<int>;
};

// Every form a handler may have.
class Forms : public troupe::Actor<Public, Bonus, Foreign, Ask, troupe::Private<Tick>> {
 public:
  explicit Forms(troupe::Ref<Public> out) : out_(out) {}
  void receive(const Public& m) { out_.tell(Public{m.n}); }
  void receive(Bonus m) { out_.tell(Public{-m.n}); }
  int receive(Foreign&&) { return 5; }
  const std::vector<int>& receive(const Ask&) const { return values_; }
  void receive(const Tick&) { out_.tell(Public{99}); }

 private:
  troupe::Ref<Public> out_;
  std::vector<int> values_{1, 2, 3};
};
static_assert(troupe::ValidActor<Forms>);
static_assert(sizeof(troupe::Ref<Forms>) == 16);

struct Greeting {
  using Reply = std::string;
};
class Base : public troupe::Actor<Greeting> {
 public:
  std::string receive(const Greeting&) { return "base"; }
};
class Derived : public Base {
 public:
  std::string receive(const Greeting&) { return "derived"; }
};
class GreetingMixin {
 public:
  std::string receive(const Greeting&) { return "mixin"; }
};
struct Other {
  using Reply = int;
};
class Mixed : public troupe::Actor<Greeting, Other>, public GreetingMixin {
 public:
  using GreetingMixin::receive;
  int receive(const Other&) { return 1; }
};

struct Api : troupe::Protocol<Greeting, Other> {};
struct WideApi : troupe::Protocol<Api, Public> {};
class Wide : public troupe::Actor<WideApi> {
 public:
  std::string receive(const Greeting&) { return "wide"; }
  int receive(const Other&) { return 2; }
  void receive(const Public&) {}
};
troupe::Factory<Api> api_factory() {
  return troupe::factory<Api, Wide>();
}

class Late;
struct HoldsIncomplete {
  troupe::Ref<Late> ref;  // a declared class is enough to store a ref
};

struct HasRef {
  troupe::Ref<Public> to;
};
class Big : public troupe::Actor<HasRef> {
 public:
  Big() { state_.fill(7); }
  void receive(const HasRef& m) { m.to.tell(Public{state_[1000]}); }

 private:
  std::array<int, 2000> state_{};  // larger than any cell: the object lives on the heap
};

}  // namespace

TEST_CASE("S145 a handler is called only for exactly its message", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Public> out{system};
    auto forms = system.spawn<Forms>(out.ref());
    forms.tell(Public{1});
    forms.tell(Bonus{2});
    REQUIRE(out.expect<Public>().n == 1);
    REQUIRE(out.expect<Public>().n == -2);
    REQUIRE(forms.ask(Foreign{}).await() == 5);
    REQUIRE(forms.ask(Ask{}).await() == std::vector<int>{1, 2, 3});
  });
}

TEST_CASE("S146 a private message is no part of the public ref", "[runtime]") {
  static_assert(std::is_constructible_v<troupe::Ref<Public, Bonus>, troupe::Ref<Forms>>);
  static_assert(!std::is_constructible_v<troupe::Ref<Tick>, troupe::Ref<Forms>>);
  static_assert(![]<class R>(R*) {
    return requires(R ref) {
      ref.tell(Tick{});
    };
  }(static_cast<troupe::Ref<Forms>*>(nullptr)));
  SUCCEED();
}

TEST_CASE(
    "deriving from an actor and mixing in plain classes dispatches to the most derived handler",
    "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    REQUIRE(system.spawn<Base>().ask(Greeting{}).await() == "base");
    REQUIRE(system.spawn<Derived>().ask(Greeting{}).await() == "derived");
    auto mixed = system.spawn<Mixed>();
    REQUIRE(mixed.ask(Greeting{}).await() == "mixin");
    REQUIRE(mixed.ask(Other{}).await() == 1);
  });
}

TEST_CASE("protocols nest, factories hide the class, refs narrow", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    troupe::Ref<Api> api = system.spawn(api_factory());
    REQUIRE(api.ask(Greeting{}).await() == "wide");
    troupe::Ref<Other> narrow = api;
    REQUIRE(narrow.ask(Other{}).await() == 2);
    troupe::Ref<Greeting, Other> list = api;
    REQUIRE(list == api);
  });
  static_assert(!std::is_constructible_v<troupe::Ref<Public>, troupe::Ref<Api>>);
  static_assert(sizeof(HoldsIncomplete) == 16);
}

TEST_CASE("an object larger than a cell lives on the heap and works the same", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Public> out{system};
    system.spawn<Big>().tell(HasRef{out.ref()});
    REQUIRE(out.expect<Public>().n == 7);
  });
}

TEST_CASE("type ids are hashes of names, but addresses for local and anonymous types",
          "[runtime]") {
  using troupe::detail::message_type;
  struct Local {};
  REQUIRE(message_type<message_test::Public>.id != 0);
  REQUIRE(message_type<message_test::Public>.text() == "message_test::Public");
  REQUIRE(message_type<Tick>.id == 0);
  REQUIRE(message_type<Local>.id == 0);
  REQUIRE_FALSE(troupe::detail::same_type(&message_type<Tick>, &message_type<Local>));
}
