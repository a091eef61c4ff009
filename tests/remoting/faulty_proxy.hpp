// A TCP proxy that does to a connection what networks do.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <asio.hpp>

namespace troupe::test {

/// Listens on a port of its own, and forwards to the target. Thread safety: any thread.
class FaultyProxy {
 public:
  FaultyProxy()
      : acceptor_(io_, {asio::ip::make_address("127.0.0.1"), 0}), thread_([this] { run(); }) {}
  FaultyProxy(const FaultyProxy&) = delete;
  FaultyProxy& operator=(const FaultyProxy&) = delete;
  ~FaultyProxy() {
    io_.stop();
    thread_.join();
  }

  [[nodiscard]] std::string address() const {
    return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }
  void forward_to(const std::string& address) {
    const auto port = std::stoi(address.substr(address.find(':') + 1));
    target_ = static_cast<std::uint16_t>(port);
  }
  /// So many bytes at most go on at a time.
  std::atomic<std::size_t> piece_max{65'536};
  std::atomic<std::chrono::microseconds> delay{std::chrono::microseconds{0}};  ///< of each piece
  /// Nothing goes on, and nobody is told: the connection is half open.
  std::atomic<bool> is_stuck{false};
  [[nodiscard]] std::size_t connections() const noexcept { return connections_; }
  /// Resets all connections.
  void cut() {
    asio::post(io_, [this] {
      for (const auto& pair : pairs_) pair->close();
      pairs_.clear();
    });
  }

 private:
  using Socket = asio::ip::tcp::socket;
  struct Direction {
    Socket* from;
    Socket* to;
    std::array<char, 65'536> bytes{};
    asio::steady_timer timer;
  };
  struct Pair {
    explicit Pair(asio::io_context& io)
        : client(io),
          server(io),
          there{&client, &server, {}, asio::steady_timer(io)},
          back{&server, &client, {}, asio::steady_timer(io)} {}
    void close() {
      asio::error_code ignored;
      for (Socket* s : {&client, &server}) {
        s->set_option(asio::socket_base::linger(true, 0), ignored);  // a reset
        s->close(ignored);
      }
    }
    Socket client;
    Socket server;
    Direction there;
    Direction back;
  };

  void run() {
    accept();
    io_.run();
  }
  void accept() {
    auto pair = std::make_shared<Pair>(io_);
    acceptor_.async_accept(pair->client, [this, pair](asio::error_code e) {
      if (e) return;
      ++connections_;
      pair->server.connect({asio::ip::make_address("127.0.0.1"), target_}, e);
      if (e) {
        pair->close();
      } else {
        pairs_.push_back(pair);
        pump(pair, pair->there);
        pump(pair, pair->back);
      }
      accept();
    });
  }
  void pump(const std::shared_ptr<Pair>& pair, Direction& d) {
    const std::size_t piece = std::min<std::size_t>(piece_max, d.bytes.size());
    d.from->async_read_some(asio::buffer(d.bytes.data(), piece),
                            [this, pair, &d](asio::error_code e, std::size_t count) {
                              if (e) {
                                end(d);
                              } else {
                                pass_on(pair, d, count);
                              }
                            });
  }
  void pass_on(const std::shared_ptr<Pair>& pair, Direction& d, std::size_t count) {
    if (delay.load().count() == 0 && !is_stuck) {
      write(pair, d, count);
      return;
    }
    constexpr std::chrono::milliseconds look_again{5};
    d.timer.expires_after(is_stuck ? look_again : delay.load());
    d.timer.async_wait([this, pair, &d, count](asio::error_code e) {
      if (e) return;
      is_stuck ? pass_on(pair, d, count) : write(pair, d, count);
    });
  }
  void write(const std::shared_ptr<Pair>& pair, Direction& d, std::size_t count) {
    asio::async_write(*d.to, asio::buffer(d.bytes.data(), count),
                      [this, pair, &d](asio::error_code e, std::size_t) {
                        if (!e) pump(pair, d);
                      });
  }
  /// The end of one direction goes on as such; while stuck it does not.
  void end(Direction& d) {
    if (is_stuck) return;
    asio::error_code ignored;
    d.to->shutdown(Socket::shutdown_send, ignored);
  }

  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_;
  std::atomic<std::uint16_t> target_{0};
  std::atomic<std::size_t> connections_{0};
  std::list<std::shared_ptr<Pair>> pairs_;
  std::thread thread_;
};

}  // namespace troupe::test
