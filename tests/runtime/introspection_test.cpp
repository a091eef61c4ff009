// What can be seen of a running System, and what is reported when something takes too long.
#include <troupe/runtime/introspection.hpp>

#include <condition_variable>
#include <thread>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::ActorInfo;
using troupe::Stall;
using troupe::test::on_every_schedule;
using troupe::test::on_seeds;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Work {};
struct Wait {
  using Reply = int;
};
struct Spin {
  std::shared_ptr<std::atomic<bool>> until;
};
class Worker : public troupe::Actor<Work, Wait, Spin> {
 public:
  explicit Worker(troupe::Ref<Wait> other = {}) : other_(other) {}
  void receive(const Work&) {}
  int receive(const Wait&) { return other_.ask(Wait{}, troupe::no_timeout).await(); }
  void receive(const Spin& m) {
    while (!*m.until) std::this_thread::yield();
  }

 private:
  troupe::Ref<Wait> other_;
};
class Boss : public troupe::Actor<Work> {
 public:
  void on_start() override { spawn<Worker>({.name = "worker"}); }
  void receive(const Work&) {}
};

/// Keeps what stalled, and lets a thread wait for it.
class Stalls final : public troupe::Observer {
 public:
  void stalled(const Stall& stall) override {
    std::lock_guard guard(mutex_);
    stalls_.push_back(stall);
    came_.notify_all();
  }
  Stall first() {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [&] { return !stalls_.empty(); });
    return stalls_.front();
  }
  std::size_t count() {
    std::lock_guard guard(mutex_);
    return stalls_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<Stall> stalls_;
};

const ActorInfo& info_of(const std::vector<ActorInfo>& all, std::string_view path) {
  for (const ActorInfo& info : all) {
    if (info.path == path) return info;
  }
  throw std::runtime_error("no such actor");
}

troupe::SystemOptions observed(const std::shared_ptr<troupe::Observer>& observer) {
  troupe::SystemOptions options;
  options.workers = 2;
  options.log = troupe::no_log();
  options.observers = {observer};
  return options;
}

}  // namespace

TEST_CASE("S25 actors(): path, type, parent, state, the length of the mailbox, what each waits for",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Wait> silent{system};
    auto boss = system.spawn<Boss>({.name = "boss"});
    auto waits = system.spawn<Worker>({.name = "waits"}, silent.ref());
    auto ask = waits.ask(Wait{}, 1h);
    silent.expect<Wait>();
    for (int i = 0; i < 1000; ++i) waits.tell(Work{});
    system.settle();
    const auto all = system.actors();
    REQUIRE(all.size() == 4);
    REQUIRE(info_of(all, "/waits").mailbox_length == 1000);
    REQUIRE_THAT(system.prometheus(), Catch::Contains("\ntroupe_messages_waiting 1000\n") &&
                                          Catch::Contains("\ntroupe_longest_mailbox 1000\n"));
    REQUIRE_THAT(info_of(all, "/waits").waits_for, Catch::Contains("waits for the answer to"));
    REQUIRE(info_of(all, "/waits").state == troupe::ActorState::running);
    REQUIRE_THAT(info_of(all, "/boss").type, Catch::EndsWith("Boss"));
    REQUIRE(info_of(all, "/boss/worker").parent == boss);
    REQUIRE_THAT(system.tree(), Catch::Contains("/boss (") &&
                                    Catch::Contains("\n  /boss/worker (") &&
                                    Catch::Contains("1000 messages wait, waits for the answer"));
    silent.reply<Wait>(1);
    REQUIRE(ask.await() == 1);
    system.settle();
    REQUIRE(info_of(system.actors(), "/waits").mailbox_length == 0);
  });
}

namespace {

/// Asks with a deadline.
class Patient : public troupe::Actor<Work> {
 public:
  explicit Patient(troupe::Ref<Wait> other) : other_(other) {}
  void receive(const Work&) { static_cast<void>(other_.ask(Wait{}, 1h).try_await()); }

 private:
  troupe::Ref<Wait> other_;
};

}  // namespace

TEST_CASE("S25 actors() says for how long a handler has waited", "[runtime]") {
  on_seeds([](TestSystem& system) {
    Probe<Wait> silent{system};
    auto patient = system.spawn<Patient>({.name = "patient"}, silent.ref());
    patient.tell(Work{});
    silent.expect<Wait>();
    REQUIRE(info_of(system.actors(), "/patient").at_least == 0s);
    system.advance(3s);
    REQUIRE(info_of(system.actors(), "/patient").at_least == 3s);
    REQUIRE_THAT(system.tree(), Catch::Contains("for 3000 ms or more"));
    silent.reply<Wait>(1);
    system.settle();
    REQUIRE(info_of(system.actors(), "/patient").at_least == 0s);
  });
}

TEST_CASE("S25 actors() never says more than is so of an actor that asks often", "[runtime]") {
  on_seeds([](TestSystem& system) {
    Probe<Wait> silent{system};
    auto patient = system.spawn<Patient>({.name = "patient"}, silent.ref());
    for (int i = 0; i < 100; ++i) {  // from some on its timeouts begin by a guess
      patient.tell(Work{});
      silent.expect<Wait>();
      silent.reply<Wait>(1);
    }
    system.advance(100s);
    patient.tell(Work{});
    silent.expect<Wait>();
    REQUIRE(info_of(system.actors(), "/patient").at_least == 0s);
    system.advance(30min);
    const troupe::Duration waited = info_of(system.actors(), "/patient").at_least;
    REQUIRE((waited <= 30min && waited > 28min));
  });
}

TEST_CASE("S25 actors() says for how long a handler has run, as the service thread saw it",
          "[runtime]") {
  troupe::System system({.workers = 2, .handler_stall_after = 8ms});
  auto until = std::make_shared<std::atomic<bool>>(false);
  auto spins = system.spawn<Worker>({.name = "spins"});
  spins.tell(Spin{until});
  ActorInfo info;
  do {
    std::this_thread::yield();
    info = info_of(system.actors(), "/spins");
  } while (info.at_least == 0s);
  REQUIRE_THAT(info.handling, Catch::EndsWith("Spin"));
  *until = true;
  while (!info_of(system.actors(), "/spins").handling.empty()) std::this_thread::yield();
  REQUIRE(info_of(system.actors(), "/spins").at_least == 0s);
}

TEST_CASE("S25 the length of a bounded mailbox is told too", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Wait> silent{system};
    auto waits = system.spawn<Worker>(
        {.name = "waits", .mailbox = troupe::bounded(3, troupe::Overflow::drop_old)}, silent.ref());
    auto ask = waits.ask(Wait{}, 1h);
    silent.expect<Wait>();
    for (int i = 0; i < 10; ++i) waits.tell(Work{});
    system.settle();
    REQUIRE(info_of(system.actors(), "/waits").mailbox_length == 3);
    silent.reply<Wait>(1);
    ask.await();
  });
}

TEST_CASE("S82 a handler that does not return is reported once, with actor and message",
          "[runtime]") {
  auto stalls = std::make_shared<Stalls>();
  auto until = std::make_shared<std::atomic<bool>>(false);
  auto options = observed(stalls);
  options.handler_stall_after = 20ms;
  troupe::System system{options};
  auto stuck = system.spawn<Worker>({.name = "stuck"});
  stuck.tell(Spin{until});
  const Stall stall = stalls->first();
  REQUIRE(stall.kind == Stall::Kind::handler);
  REQUIRE(stall.actor == stuck);
  REQUIRE(stall.at_least >= 20ms);
  REQUIRE_THAT(stall.message_type, Catch::EndsWith("Spin"));
  REQUIRE_THAT(info_of(system.actors(), "/stuck").handling, Catch::EndsWith("Spin"));
  *until = true;
  system.stop(stuck).await();
  REQUIRE(stalls->count() == 1);
}

TEST_CASE(
    "S82 a message that waits too long is reported once, with actor and message, also in a "
    "System that is idle otherwise",
    "[runtime]") {
  auto stalls = std::make_shared<Stalls>();
  auto options = observed(stalls);
  options.queue_stall_after = 20ms;
  troupe::System system{options};
  auto silent = system.spawn<Worker>();
  auto waits = system.spawn<Worker>(silent);
  auto ask = waits.ask(Wait{}, 1h);  // silent asks nobody: its ask fails, and this ends at once
  REQUIRE_FALSE(ask.try_await().has_value());

  class Keeps : public troupe::Actor<Wait> {
   public:
    void receive(const Wait&, troupe::ReplyTo<int> reply) { kept_.push_back(std::move(reply)); }

   private:
    std::vector<troupe::ReplyTo<int>> kept_;
  };
  auto keeps = system.spawn<Keeps>();
  auto blocked = system.spawn<Worker>(keeps);
  auto never = blocked.ask(Wait{}, 1h);
  blocked.tell(Work{});
  const Stall stall = stalls->first();
  REQUIRE(stall.kind == Stall::Kind::queued);
  REQUIRE(stall.actor == blocked);
  REQUIRE_THAT(stall.message_type, Catch::EndsWith("Work"));
  system.kill(blocked);
}

TEST_CASE("S81 while all workers are stuck, timers go on: delayed messages reach their mailboxes",
          "[runtime]") {
  auto until = std::make_shared<std::atomic<bool>>(false);
  troupe::SystemOptions options;
  options.workers = 2;
  options.log = troupe::no_log();
  troupe::System system{options};
  auto a = system.spawn<Worker>({.name = "a"});
  auto b = system.spawn<Worker>({.name = "b"});
  auto c = system.spawn<Worker>({.name = "c"});
  a.tell(Spin{until});
  b.tell(Spin{until});
  while (info_of(system.actors(), "/a").handling.empty() ||
         info_of(system.actors(), "/b").handling.empty()) {
    std::this_thread::yield();
  }
  c.tell_after(1ms, Work{});
  while (info_of(system.actors(), "/c").mailbox_length == 0) std::this_thread::yield();
  REQUIRE_FALSE(c.ask(Wait{}, 5ms).try_await().has_value());  // its timeout is a timer too
  *until = true;
  system.stop(c).await();
}
