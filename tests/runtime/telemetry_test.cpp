// Traces, middleware, and metrics for others.
#include <mutex>

#include <troupe/runtime/runtime.hpp>

#include <catch2/catch.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::format_traceparent;
using troupe::parse_traceparent;
using troupe::Span;
using troupe::TraceContext;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

constexpr const char* example = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

struct Charge {
  using Reply = std::string;
};
struct PlaceOrder {
  using Reply = std::string;
};
struct Note {};
struct Fails {
  using Reply = void;
};

std::string traced() {
  const auto context = troupe::current_trace();
  return context ? format_traceparent(*context) : "none";
}

class Payments : public troupe::Actor<Charge, Note> {
 public:
  std::string receive(const Charge&) { return traced(); }
  void receive(const Note&) {}
};
class Orders : public troupe::Actor<PlaceOrder, Fails> {
 public:
  explicit Orders(troupe::Ref<Payments> payments) : payments_(payments) {}
  std::string receive(const PlaceOrder&) {
    payments_.tell(Note{});
    const std::string inner = payments_.ask(Charge{}).await();
    return traced() + " " + inner;  // the same after the wait
  }
  void receive(const Fails&) { troupe::refuse("no"); }

 private:
  troupe::Ref<Payments> payments_;
};

class Spans final : public troupe::SpanExporter {
 public:
  void ended(const Span& span) override {
    std::lock_guard guard(mutex);
    all.push_back(span);
  }
  const Span& of(std::string_view type) {
    std::lock_guard guard(mutex);
    for (const Span& span : all) {
      if (span.message_type.find(type) != std::string_view::npos) return span;
    }
    throw std::logic_error("no span of " + std::string(type));
  }
  std::mutex mutex;
  std::vector<Span> all;
};

}  // namespace

TEST_CASE("a traceparent header is read and written as the standard says", "[telemetry]") {
  const auto context = parse_traceparent(example);
  REQUIRE(context);
  REQUIRE(context->is_sampled());
  REQUIRE(format_traceparent(*context) == example);
  const std::string good = example;
  const auto with = [&](std::size_t at, const std::string& text) {
    return parse_traceparent(std::string(good).replace(at, text.size(), text));
  };
  REQUIRE_FALSE(parse_traceparent(""));
  REQUIRE_FALSE(parse_traceparent(good.substr(1)));
  REQUIRE_FALSE(parse_traceparent(good + "-more"));  // version 00 ends there
  REQUIRE_FALSE(with(0, "ff"));                      // a forbidden version
  REQUIRE_FALSE(with(3, "0AF7"));                    // capitals
  REQUIRE_FALSE(with(2, "_"));
  REQUIRE_FALSE(with(3, std::string(32, '0')));
  REQUIRE_FALSE(with(36, std::string(16, '0')));
  REQUIRE(parse_traceparent("cc" + good.substr(2) + "-what-comes-later"));
  REQUIRE_FALSE(parse_traceparent("cc" + good.substr(2) + "what"));
  REQUIRE_FALSE(with(53, "00")->is_sampled());
}

TEST_CASE("a trace goes with tells, asks and waits, each handler a child of its sender",
          "[telemetry]") {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    const auto spans = std::make_shared<Spans>();
    troupe::SystemOptions options;
    options.spans = spans;
    TestSystem system{seed, troupe::testkit::Schedule::seeded, options};
    auto orders = system.spawn<Orders>(system.spawn<Payments>());
    {
      const troupe::TraceScope scope{*parse_traceparent(example)};
      auto answer = orders.ask(PlaceOrder{}).await();
      REQUIRE_THROWS_AS(orders.ask(Fails{}).await(), troupe::Refused);
      system.settle();
      const Span& order = spans->of("PlaceOrder");
      const Span& charge = spans->of("Charge");
      REQUIRE(answer ==
              format_traceparent(order.context) + " " + format_traceparent(charge.context));
      REQUIRE(order.context.trace_id == parse_traceparent(example)->trace_id);
      REQUIRE(order.parent_id == parse_traceparent(example)->span_id);
      REQUIRE(charge.context.trace_id == order.context.trace_id);
      REQUIRE(charge.parent_id == order.context.span_id);
      REQUIRE(spans->of("Note").parent_id == order.context.span_id);
      REQUIRE(order.actor == orders);
      REQUIRE_FALSE(order.failed);
      REQUIRE(spans->of("Fails").failed);
      REQUIRE(spans->all.size() == 4);
    }
    REQUIRE(orders.ask(PlaceOrder{}).await() == "none none");  // the scope is over
    REQUIRE(spans->all.size() == 4);
  }
}

TEST_CASE("what is not sampled is passed on and not exported - actors open no scope",
          "[telemetry]") {
  const auto spans = std::make_shared<Spans>();
  troupe::SystemOptions options;
  options.spans = spans;
  on_every_schedule(
      [&](TestSystem& system) {
        auto orders = system.spawn<Orders>(system.spawn<Payments>());
        TraceContext context = *parse_traceparent(example);
        context.flags = 0;
        const troupe::TraceScope scope{context};
        REQUIRE(orders.ask(PlaceOrder{}).await() != "none none");
        REQUIRE(spans->all.empty());
        Probe<Note> probe{system};
        bool refused = false;
        probe.run_as_actor([&] {
          try {
            const troupe::TraceScope inner{context};
          } catch (const troupe::UsageError&) {
            refused = true;
          }
        });
        REQUIRE(refused);
      },
      options);
}

namespace {

/// Writes down what it sees, in the order of the list.
class Sees : public troupe::Middleware {
 public:
  Sees(std::string name, std::vector<std::string>& log) : name_(std::move(name)), log_(log) {}
  void around(const troupe::Handling& handling, troupe::Next next) override {
    if (handling.as<Note>() != nullptr) return;  // dropped
    log_.push_back(name_ + " before" + (handling.is_request ? " a request" : ""));
    try {
      next();
    } catch (const troupe::Refused&) {
      log_.push_back(name_ + " refused");
      throw;
    }
    log_.push_back(name_ + " after");
  }

 private:
  std::string name_;
  std::vector<std::string>& log_;
};

}  // namespace

TEST_CASE("middleware runs around handlers, in its order, and may keep messages from them",
          "[telemetry]") {
  std::vector<std::string> log;
  troupe::SystemOptions options;
  options.middleware = {std::make_shared<Sees>("a", log), std::make_shared<Sees>("b", log)};
  troupe::test::on_seeds(
      [&](TestSystem& system) {
        log.clear();
        auto payments = system.spawn<Payments>();
        auto orders = system.spawn<Orders>(payments);
        payments.tell(Note{});
        system.settle();
        REQUIRE(log.empty());
        REQUIRE(system.metrics().dropped_for(troupe::DropReason::turned_away) == 1);
        payments.ask(Charge{}).await();
        REQUIRE(log == std::vector<std::string>{"a before a request", "b before a request",
                                                "b after", "a after"});
        log.clear();
        REQUIRE_THROWS_AS(orders.ask(Fails{}).await(), troupe::Refused);
        REQUIRE(log == std::vector<std::string>{"a before a request", "b before a request",
                                                "b refused", "a refused"});
        log.clear();
        REQUIRE(orders.ask(PlaceOrder{}).await() == "none none");
        REQUIRE(log.size() == 8);  // around the whole handler, its wait included
        REQUIRE(log.back() == "a after");
      },
      options);
}

TEST_CASE("metrics in Prometheus' text format", "[telemetry]") {
  on_every_schedule([](TestSystem& system) {
    auto payments = system.spawn<Payments>();
    payments.ask(Charge{}).await();
    system.stop(payments).await();
    payments.tell(Note{});
    const std::string text = system.prometheus();
    for (const char* line :
         {"# HELP troupe_messages_handled_total ", "# TYPE troupe_messages_handled_total counter\n",
          "troupe_actors_spawned_total 1\n", "# TYPE troupe_actors gauge\n", "troupe_actors 0\n",
          "# TYPE troupe_messages_waiting gauge\n", "troupe_messages_waiting 0\n",
          "troupe_longest_mailbox 0\n", "troupe_messages_dropped_total{reason=\"no_actor\"} 1\n",
          "troupe_messages_dropped_total{reason=\"mailbox_full\"} 0\n"}) {
      REQUIRE_THAT(text, Catch::Contains(line));
    }
    const std::string handled = std::to_string(system.metrics().messages_handled);
    REQUIRE_THAT(text, Catch::Contains("troupe_messages_handled_total " + handled + "\n"));
    REQUIRE(text.back() == '\n');
  });
}

namespace {

/// Throws after the handler, or calls it twice.
class Meddles : public troupe::Middleware {
 public:
  explicit Meddles(bool twice) : twice_(twice) {}
  void around(const troupe::Handling& handling, troupe::Next next) override {
    next();
    if (handling.as<PlaceOrder>() == nullptr) return;
    if (twice_) next();
    throw std::runtime_error("middleware");
  }

 private:
  bool twice_;
};
class Lazy : public troupe::Actor<PlaceOrder> {
 public:
  troupe::Task<std::string> receive(PlaceOrder) {
    FAIL("a coroutine whose middleware threw does not begin");
    co_return "";
  }
};

}  // namespace

TEST_CASE("middleware that throws fails the actor, and a coroutine handler never begins",
          "[telemetry]") {
  for (const bool twice : {false, true}) {
    troupe::SystemOptions options;
    options.middleware = {std::make_shared<Meddles>(twice)};
    on_every_schedule(
        [&](TestSystem& system) {
          auto lazy = system.spawn<Lazy>();
          const auto answer = lazy.ask(PlaceOrder{}).try_await();
          REQUIRE_FALSE(answer);
          REQUIRE_THAT(answer.error().what,
                       Catch::Contains(twice ? "next() is called once" : "middleware"));
          system.settle();
          REQUIRE(system.actor_count() == 0);
        },
        options);
  }
}
