// Crash reports: what is told when an actor fails.
#include <troupe/runtime/crash_report.hpp>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using Catch::Contains;
using troupe::CrashReport;
using troupe::test::LogLines;
using troupe::test::on_every_schedule;
using troupe::testkit::TestSystem;

namespace bank {

struct Pay {
  std::string card;
  int cents;
};
std::string to_string(const Pay& m) {
  return "{card " + m.card + ", " + std::to_string(m.cents) + " cents}";
}
struct Leave {
  troupe::ExitReason why;
};
struct Quiet {};

class Teller : public troupe::Actor<Pay, Leave, Quiet> {
 public:
  explicit Teller(std::string state = "drawer open") : state_(std::move(state)) {}
  void receive(const Pay&) { throw std::runtime_error("the till is stuck"); }
  void receive(const Leave& m) { stop(m.why); }
  void receive(const Quiet&) { throw std::runtime_error("silently"); }
  [[nodiscard]] std::string describe_state() const override {
    if (state_.empty()) throw std::runtime_error("no state left");
    return state_;
  }

 private:
  std::string state_;
};
class Client : public troupe::Actor<Pay> {
 public:
  explicit Client(troupe::Ref<Pay> to) : to_(to) {}
  void receive(const Pay& m) { to_.tell(m); }

 private:
  troupe::Ref<Pay> to_;
};

class Keeper : public troupe::Actor<Pay> {
 public:
  void receive(Pay m) {
    const Pay mine = std::move(m);
    throw std::runtime_error("lost " + mine.card);
  }
};

}  // namespace bank

namespace {

/// Keeps the reports.
class Reports final : public troupe::Observer {
 public:
  void crashed(const CrashReport& report) override {
    std::lock_guard guard(mutex_);
    reports_.push_back(report);
  }
  std::vector<CrashReport> take() {
    std::lock_guard guard(mutex_);
    return std::exchange(reports_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<CrashReport> reports_;
};

struct Fixture {
  std::shared_ptr<Reports> reports = std::make_shared<Reports>();
  std::shared_ptr<LogLines> lines = std::make_shared<LogLines>();
  troupe::SystemOptions options;
  Fixture() {
    options.observers = {reports};
    options.log = lines;
  }
};

}  // namespace

TEST_CASE("S43 C43 a failure makes one crash report: who, why, the last message, and the state",
          "[runtime]") {
  Fixture f;
  on_every_schedule(
      [&](TestSystem& system) {
        f.lines->take();
        auto teller = system.spawn<bank::Teller>({.name = "teller"});
        auto client = system.spawn<bank::Client>({.name = "client"}, teller);
        client.tell(bank::Pay{"1234", 50});
        system.settle();
        const auto all = f.reports->take();
        REQUIRE(all.size() == 1);
        const CrashReport& r = all[0];
        REQUIRE(r.actor == troupe::Ref<>{teller});
        REQUIRE(r.path == "/teller");
        REQUIRE(r.type == "bank::Teller");
        REQUIRE(r.why == "the till is stuck");
        REQUIRE(r.sender == troupe::Ref<>{client});
        REQUIRE(r.message_type == "bank::Pay");
        REQUIRE(r.message == "{card 1234, 50 cents}");
        REQUIRE(r.state == "drawer open");
        const std::string line =
            "error /teller: failed: the till is stuck; handling bank::Pay {card 1234, 50 cents}; "
            "state: drawer open";
        REQUIRE(f.lines->take() == std::vector<std::string>{line});
      },
      f.options);
}

TEST_CASE("S43 C43 who ends in order, with or without a text, makes no crash report", "[runtime]") {
  Fixture f;
  on_every_schedule(
      [&](TestSystem& system) {
        f.lines->take();
        for (const auto& why : {troupe::ExitReason::normal(), troupe::ExitReason::shutdown(),
                                troupe::ExitReason::shutdown("maintenance")}) {
          system.spawn<bank::Teller>().tell(bank::Leave{why});
        }
        system.settle();
        REQUIRE(f.reports->take().empty());
        REQUIRE(f.lines->take().empty());
      },
      f.options);
}

TEST_CASE("C50 what a report says can be redacted before anybody sees it", "[runtime]") {
  Fixture f;
  f.options.redact_crash_report = [](CrashReport& r) {
    const auto at = r.message.find("card ");
    if (at != std::string::npos) r.message.replace(at + 5, 4, "****");
  };
  on_every_schedule(
      [&](TestSystem& system) {
        f.lines->take();
        system.spawn<bank::Teller>().tell(bank::Pay{"1234", 50});
        system.settle();
        REQUIRE(f.reports->take().at(0).message == "{card ****, 50 cents}");
        REQUIRE_THAT(f.lines->take().at(0), Contains("****") && !Contains("1234"));
      },
      f.options);
}

TEST_CASE("C50 a redaction that throws shows nothing - a description that throws says so",
          "[runtime]") {
  Fixture f;
  on_every_schedule(
      [&](TestSystem& system) {
        system.spawn<bank::Teller>("").tell(bank::Quiet{});
        system.settle();
        const CrashReport r = f.reports->take().at(0);
        REQUIRE(r.state == "(describing it threw: no state left)");
        REQUIRE(r.message.empty());  // there is no to_string(Quiet)
      },
      f.options);
  f.options.redact_crash_report = [](CrashReport&) { throw std::runtime_error("oops"); };
  on_every_schedule(
      [&](TestSystem& system) {
        system.spawn<bank::Teller>("secret").tell(bank::Pay{"1234", 1});
        system.settle();
        const CrashReport r = f.reports->take().at(0);
        REQUIRE_THAT(r.to_string(), !Contains("secret") && !Contains("1234"));
      },
      f.options);
}

TEST_CASE("S43 a crash report is no longer than the System allows, whatever the state",
          "[runtime]") {
  Fixture f;
  f.options.crash_report_bytes_max = 100;
  on_every_schedule(
      [&](TestSystem& system) {
        system.spawn<bank::Teller>(std::string(100'000, 'x')).tell(bank::Pay{"1234", 1});
        system.settle();
        const CrashReport r = f.reports->take().at(0);
        REQUIRE(r.why == "the till is stuck");
        REQUIRE_THAT(r.state, Contains("bytes more)"));
        REQUIRE(r.to_string().size() < 250);
        f.lines->take();
      },
      f.options);
}

TEST_CASE("C43 a message that its handler has taken over is not looked at any more", "[runtime]") {
  Fixture f;
  on_every_schedule(
      [&](TestSystem& system) {
        system.spawn<bank::Keeper>().tell(bank::Pay{"1234", 1});
        system.settle();
        REQUIRE(f.reports->take().at(0).message == "(moved into its handler)");
        f.lines->take();
      },
      f.options);
}
