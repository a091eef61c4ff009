// A System on the user's own io_context.
#include <troupe/asio/executor.hpp>

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
  asio::io_context io;
  auto work = asio::make_work_guard(io);
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) threads.emplace_back([&] { io.run(); });
  {
    troupe::System system{on(io)};
    auto player = system.spawn<Player>([] {});
    for (int i = 0; i < 200; ++i) {
      REQUIRE(player.ask(Work{}).await() == 42);
      player.tell(Ball{5});
    }
    system.stop(player).await();
  }
  work.reset();
  for (auto& thread : threads) thread.join();
}

TEST_CASE("a System is shut down after its io_context has stopped, with operations under way",
          "[asio]") {
  asio::io_context io;
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
  troupe::SystemOptions options = on(io);
  options.stop_timeout = 10ms;
  troupe::System system{std::move(options)};
  system.spawn<Waits>(std::ref(io)).tell(Go{});
  io.run_for(50ms);
  io.stop();
  REQUIRE(system.actor_count() == 1);
  const auto report = system.shutdown();
  REQUIRE(report.complete);
  REQUIRE(system.actor_count() == 0);
}
