// A System on the user's own io_context.
#include <troupe/asio/executor.hpp>

#include <array>
#include <thread>

#include <catch2/catch.hpp>

#include "asio/support.hpp"

using namespace std::chrono_literals;

namespace {

troupe::SystemOptions on(asio::io_context& io) {
  troupe::SystemOptions options;
  options.executor = troupe::asio::executor_on(io);
  options.log = troupe::no_log();
  return options;
}

struct Ball {
  int left;
};
struct Where {
  using Reply = std::thread::id;
};
struct Work {
  using Reply = int;
};
struct Tick {};

class Player : public troupe::Actor<Ball, Where, Work, troupe::Private<Tick>> {
 public:
  explicit Player(std::function<void()> done) : done_(std::move(done)) {}
  void receive(const Ball& m) {
    if (m.left > 0) {
      self().tell(Ball{m.left - 1});
    } else {
      start_timer("done", 10ms, Tick{});
    }
  }
  void receive(const Tick&) { done_(); }
  std::thread::id receive(const Where&) { return std::this_thread::get_id(); }
  int receive(const Work&) {
    return troupe::blocking([] { return 42; });
  }

 private:
  std::function<void()> done_;
};

struct Go {};
class Waits : public troupe::Actor<Go> {
 public:
  explicit Waits(asio::io_context& context) : io_(context) {}
  void receive(const Go&) {
    asio::steady_timer timer(io_, 1h);
    timer.async_wait(troupe::asio::use_await);
  }

 private:
  asio::io_context& io_;
};

/// An io_context that two threads run.
struct TwoThreads {
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::array<std::thread, 2> threads{std::thread([this] { io.run(); }),
                                     std::thread([this] { io.run(); })};
  ~TwoThreads() {
    work.reset();
    for (auto& thread : threads) thread.join();
  }
};

}  // namespace

TEST_CASE("actors and their timers run where the io_context runs", "[asio]") {
  asio::io_context io;
  troupe::System system{on(io)};
  bool done = false;
  auto player = system.spawn<Player>([&] { done = true; });
  player.tell(Ball{1000});
  std::thread::id where;
  int worked = 0;
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        where = co_await troupe::asio::ask(player, Where{}, 1min, asio::use_awaitable);
        worked = co_await troupe::asio::ask(player, Work{}, 1min, asio::use_awaitable);
      },
      asio::detached);
  io.run();  // until the last timer and the last answer are done with
  REQUIRE(done);
  REQUIRE(where == std::this_thread::get_id());
  REQUIRE(worked == 42);
}

TEST_CASE("a thread outside asks actors that an io_context runs elsewhere", "[asio]") {
  TwoThreads two;
  asio::io_context& io = two.io;
  {
    troupe::System system{on(io)};
    auto player = system.spawn<Player>([] {});
    for (int i = 0; i < 200; ++i) {
      REQUIRE(player.ask(Work{}).await() == 42);
      player.tell(Ball{5});
    }
    system.stop(player).await();
  }
}

TEST_CASE("a System is shut down after its io_context has stopped, with operations under way",
          "[asio]") {
  asio::io_context io;
  troupe::SystemOptions options = on(io);
  options.shutdown_timeout = 500ms;
  troupe::System system{std::move(options)};
  system.spawn<Waits>(std::ref(io)).tell(Go{});
  io.run_for(50ms);
  io.stop();
  REQUIRE(system.actor_count() == 1);
  const auto report = system.shutdown();
  REQUIRE(report.complete);
  REQUIRE(system.actor_count() == 0);
}

TEST_CASE("Systems come and go on an io_context that runs on", "[asio]") {
  TwoThreads two;
  asio::io_context& io = two.io;
  for (int i = 0; i < 100; ++i) {
    troupe::SystemOptions options = on(io);
    const auto kept = options.executor;  // outlives its System
    troupe::System system{std::move(options)};
    auto player = system.spawn<Player>([] {});
    player.tell(Ball{5});
    REQUIRE(player.ask(Work{}).await() == 42);
  }
}

TEST_CASE("timers on an io_context that several threads run are not lost", "[asio]") {
  TwoThreads two;
  asio::io_context& io = two.io;
  {
    troupe::System system{on(io)};
    struct Nap {
      troupe::Duration time;
      using Reply = void;
    };
    class Naps : public troupe::Actor<Nap, troupe::Private<Tick>> {
     public:
      void receive(const Nap& m, troupe::ReplyTo<void> reply) {
        waiting_.push_back(std::move(reply));
        start_timer(static_cast<int>(++naps_), m.time, Tick{});
      }
      void receive(const Tick&) {
        waiting_.front()();
        waiting_.erase(waiting_.begin());
      }

     private:
      std::vector<troupe::ReplyTo<void>> waiting_;
      int naps_ = 0;
    };
    std::vector<troupe::Ref<Naps>> actors;
    for (int i = 0; i < 4; ++i) actors.push_back(system.spawn<Naps>());
    for (int i = 0; i < 300; ++i) {
      std::vector<troupe::Ask<void>> naps;
      for (const auto& actor : actors)
        naps.push_back(actor.ask(Nap{std::chrono::microseconds(50 + i)}, 30s));
      for (auto& nap : naps) nap.await();  // a lost timer fails this ask
    }
  }
}

TEST_CASE("a System is shut down in a handler of its io_context", "[asio]") {
  asio::io_context io;
  troupe::SystemOptions options = on(io);
  options.shutdown_timeout = 500ms;
  troupe::System system{std::move(options)};
  system.spawn<Waits>(std::ref(io)).tell(Go{});
  bool complete = false;
  asio::steady_timer later(io, 20ms);
  later.async_wait([&](const std::error_code&) { complete = system.shutdown().complete; });
  io.run();
  REQUIRE(complete);
}

TEST_CASE("an io_context runs on while a blocking call does, and ends when timers are cancelled",
          "[asio]") {
  asio::io_context io;
  troupe::System system{on(io)};
  class Works : public troupe::Actor<Go> {
   public:
    explicit Works(std::function<void()> done) : done_(std::move(done)) {}
    void receive(const Go&) {
      troupe::blocking([] { std::this_thread::yield(); });
      done_();
    }

   private:
    std::function<void()> done_;
  };
  const auto here = std::this_thread::get_id();
  bool done_here = false;
  system.spawn<Works>([&] { done_here = std::this_thread::get_id() == here; }).tell(Go{});
  io.run();
  REQUIRE(done_here);
}

TEST_CASE("a wait outside ends in time although an actor of a stopped io_context is busy",
          "[asio]") {
  asio::io_context io;
  io.stop();
  troupe::System system{on(io)};
  struct Again {};
  struct Never {
    using Reply = int;
  };
  class Busy : public troupe::Actor<Again, Never> {
   public:
    void receive(const Again& m) { self().tell(m); }
    void receive(const Never&, troupe::ReplyTo<int> reply) { kept_.push_back(std::move(reply)); }

   private:
    std::vector<troupe::ReplyTo<int>> kept_;
  };
  auto busy = system.spawn<Busy>();
  busy.tell(Again{});
  REQUIRE_THROWS_AS(busy.ask(Never{}, 50ms).await(), troupe::AskTimeout);
}

TEST_CASE("an executor serves one System", "[asio]") {
  asio::io_context io;
  const troupe::SystemOptions options = on(io);
  troupe::System first{options};
  REQUIRE_THROWS_AS(troupe::System{options}, troupe::UsageError);
  auto player = first.spawn<Player>([] {});
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        co_await troupe::asio::ask(player, Where{}, 1min, asio::use_awaitable);
      },
      asio::detached);
  io.run();
}
