// Actors that wait for Asio operations.
#include <troupe/asio/use_await.hpp>

#include <array>
#include <system_error>
#include <thread>

#include <catch2/catch.hpp>

#include "asio/support.hpp"

using namespace std::chrono_literals;
using asio::ip::tcp;
using troupe::asio::use_await;

namespace {

/// An io_context with a thread of its own.
struct Io {
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::thread thread{[this] { context.run(); }};
  ~Io() {
    work.reset();
    context.stop();
    thread.join();
  }
};
troupe::SystemOptions quiet() {
  troupe::SystemOptions options;
  options.workers = 2;
  options.log = troupe::no_log();
  return options;
}

struct Echo {
  std::uint16_t port;
  std::string text;
  using Reply = std::string;
};
struct Wait {
  troupe::Duration time;
  using Reply = void;
};
struct Ping {
  using Reply = int;
};

class Client : public troupe::Actor<Echo, Wait, Ping> {
 public:
  static constexpr auto turns = troupe::reentrant;
  explicit Client(asio::io_context& io) : io_(io) {}
  std::string receive(const Echo& m) {
    tcp::socket socket(io_);
    socket.async_connect({asio::ip::address_v4::loopback(), m.port}, use_await);
    const std::size_t sent = asio::async_write(socket, asio::buffer(m.text), use_await);
    std::array<char, 100> buffer;
    const std::size_t n = asio::async_read(socket, asio::buffer(buffer.data(), sent), use_await);
    return {buffer.data(), n};
  }
  void receive(const Wait& m) {
    asio::steady_timer timer(io_, m.time);
    timer.async_wait(use_await);
  }
  int receive(const Ping&) { return 1; }

 private:
  asio::io_context& io_;
};

/// Accepts one connection and, unless it is mute, sends back what it reads.
void serve(tcp::acceptor& acceptor, bool mute, std::thread& thread) {
  thread = std::thread([&acceptor, mute] {
    tcp::socket socket = acceptor.accept();
    std::array<char, 100> buffer;
    std::error_code error;
    for (;;) {
      const std::size_t n = socket.read_some(asio::buffer(buffer), error);
      if (error) return;
      if (!mute) asio::write(socket, asio::buffer(buffer.data(), n), error);
    }
  });
}

}  // namespace

TEST_CASE("an actor talks to a socket in straight lines, and goes on meanwhile", "[asio]") {
  Io io;
  asio::io_context serving;
  tcp::acceptor acceptor(serving, {asio::ip::address_v4::loopback(), 0});
  std::thread server;
  serve(acceptor, false, server);
  {
    troupe::System system{quiet()};
    auto client = system.spawn<Client>(std::ref(io.context));
    auto waiting = client.ask(Wait{1h}, 2h);
    REQUIRE(client.ask(Echo{acceptor.local_endpoint().port(), "hello"}).await() == "hello");
    REQUIRE(client.ask(Ping{}).await() == 1);  // the first handler still waits
    system.kill(client);                       // cancels its timer
    REQUIRE_FALSE(waiting.try_await());
  }
  server.join();
}

TEST_CASE("an operation that fails throws, and the actor may catch it", "[asio]") {
  Io io;
  troupe::System system{quiet()};
  asio::io_context unused;
  std::uint16_t free_port = 0;
  {
    tcp::acceptor acceptor(unused, {asio::ip::address_v4::loopback(), 0});
    free_port = acceptor.local_endpoint().port();
  }
  auto client = system.spawn<Client>(std::ref(io.context));
  const auto result = client.ask(Echo{free_port, "hello"}).try_await();
  REQUIRE_FALSE(result);
  REQUIRE(result.error().what.find("refused") != std::string::npos);
}

TEST_CASE("kill waits for an operation that uses the handler's memory, and cancels it", "[asio]") {
  Io io;
  asio::io_context serving;
  tcp::acceptor acceptor(serving, {asio::ip::address_v4::loopback(), 0});
  std::thread server;
  serve(acceptor, true, server);  // never answers
  {
    troupe::System system{quiet()};
    auto client = system.spawn<Client>(std::ref(io.context));
    auto echo = client.ask(Echo{acceptor.local_endpoint().port(), "hello"}, 1h);
    REQUIRE(client.ask(Ping{}).await() == 1);
    system.kill(client);
    const auto result = echo.try_await();
    REQUIRE_FALSE(result);
    REQUIRE(result.error().kind == troupe::AskErrorKind::receiver_down);
    system.stop(client).await();
    REQUIRE(system.actor_count() == 0);
  }
  server.join();
}

namespace {

struct Cancel {
  using Reply = std::size_t;
};
class Waits : public troupe::Actor<Ping, Cancel> {
 public:
  static constexpr auto turns = troupe::reentrant;
  explicit Waits(asio::io_context& context) : timer_(context, 1h) {}
  int receive(const Ping&) {
    try {
      timer_.async_wait(use_await);
    } catch (const std::system_error& e) {
      return e.code() == asio::error::operation_aborted ? 2 : 3;
    }
    return 4;
  }
  std::size_t receive(const Cancel&) { return timer_.cancel(); }

 private:
  asio::steady_timer timer_;
};

}  // namespace

TEST_CASE("an operation that is cancelled by another turn throws", "[asio]") {
  Io io;
  troupe::System system{quiet()};
  auto waits = system.spawn<Waits>(std::ref(io.context));
  auto answer = waits.ask(Ping{}, 1h);
  REQUIRE(waits.ask(Cancel{}).await() == 1);
  REQUIRE(answer.await() == 2);
}

TEST_CASE("outside of an actor use_await is refused", "[asio]") {
  asio::io_context io;
  asio::steady_timer timer(io, 1h);
  REQUIRE_THROWS_AS(timer.async_wait(use_await), troupe::UsageError);
}

TEST_CASE("S139 an actor that was killed starts no further operation", "[asio]") {
  Io io;
  class Stubborn : public troupe::Actor<Ping> {
   public:
    explicit Stubborn(asio::io_context& context) : io_(context) {}
    int receive(const Ping&) {
      try {
        asio::steady_timer(io_, 1h).async_wait(use_await);
      } catch (const troupe::Cancelled&) {
        asio::steady_timer(io_, 1h).async_wait(use_await);  // throws at once
      }
      return 1;
    }
    void on_stop(troupe::StopReason) override { asio::steady_timer(io_, 1h).async_wait(use_await); }

   private:
    asio::io_context& io_;
  };
  troupe::System system{quiet()};
  auto stubborn = system.spawn<Stubborn>(std::ref(io.context));
  auto answer = stubborn.ask(Ping{}, 1h);
  system.stop(stubborn, 0s).await();
  REQUIRE_FALSE(answer.try_await());
  REQUIRE(system.actor_count() == 0);
}

TEST_CASE("kills near the end of an operation touch nothing that is gone", "[asio]") {
  Io io;
  troupe::System system{quiet()};
  for (int i = 0; i < 300; ++i) {
    auto client = system.spawn<Client>(std::ref(io.context));
    auto waits = client.ask(Wait{std::chrono::microseconds(i % 60)}, 1min);
    if (i % 3 == 0) std::this_thread::yield();
    system.kill(client);
  }
  while (system.actor_count() != 0) std::this_thread::yield();
}
