// The same between two processes with Asio, our frames and our codec, and nothing else: no actors,
// no handshake, no order but the socket's. Usage: asio_remote_bench WORKLOAD
#include <sys/wait.h>
#include <unistd.h>
#include <string_view>

#include <asio.hpp>

#include "frame.hpp"
#include "message_frame.hpp"
#include "remote/remote.capnp.hpp"
#include "sizes.hpp"

namespace bench {
namespace {

using asio::ip::tcp;
using troupe::remoting::detail::append_tell;
using troupe::remoting::detail::FrameReader;
using troupe::remoting::detail::read_message;
using troupe::remoting::detail::Word;

constexpr std::size_t batch_bytes = 64 << 10;

template <class M>
void append(std::vector<Word>& out, const M& m) {
  append_tell(out, {1, 1, M::troupe_schema.value}, M::troupe_codec, &m);
}

/// Takes frames of M as they come, and has `receive` called with each.
template <class M, class Receive>
class Reading {
 public:
  Reading(tcp::socket& socket, Receive receive) : socket_(socket), receive_(std::move(receive)) {}
  void go() {
    const auto space = reader_.space();
    socket_.async_read_some(asio::buffer(space.data(), space.size()),
                            [this](const std::error_code& e, std::size_t bytes) {
                              if (e) return;
                              reader_.received(bytes);
                              while (const auto frame = reader_.next())
                                receive_(troupe::codec::decode<M>(read_message(*frame).message));
                              go();
                            });
  }

 private:
  tcp::socket& socket_;
  Receive receive_;
  FrameReader reader_;
};

void send(tcp::socket& socket, std::vector<Word>& batch) {
  asio::write(socket, asio::buffer(batch));
  batch.clear();
}

/// Both sides of each workload: the server's runs until the socket is closed.
void serve_items(asio::io_context& io, tcp::socket& socket, std::size_t items) {
  std::vector<Word> out;
  std::size_t received = 0;
  Reading<Item, std::function<void(const Item&)>> reading(socket, [&](const Item&) {
    if (++received % items != 0) return;
    append(out, Ack{received});
    send(socket, out);
  });
  reading.go();
  io.run();
}
void one_way(tcp::socket& socket, const std::string& name, std::size_t bytes, std::size_t items) {
  const Item item{std::vector<std::byte>(bytes)};
  std::vector<Word> batch;
  double begin = 0;
  for (int round = 0; round < 2; ++round) {  // the first warms up
    begin = nanoseconds();
    for (std::size_t n = 0; n < items; ++n) {
      append(batch, item);
      if (batch.size() * sizeof(Word) >= batch_bytes) send(socket, batch);
    }
    send(socket, batch);
    std::array<Word, 8> ack{};
    socket.read_some(asio::buffer(ack));
  }
  result(name, (nanoseconds() - begin) / static_cast<double>(items));
}

void serve_requests(asio::io_context& io, tcp::socket& socket) {
  std::vector<Word> out;
  Reading<Response, std::function<void(const Response&)>> reading(socket, [&](const Response& m) {
    append(out, m);
    send(socket, out);
  });
  reading.go();
  io.run();
}
void round_trips(asio::io_context& io, tcp::socket& socket) {
  std::vector<double> latencies;
  std::vector<Word> out;
  const auto ask = [&] {
    append(out, Response{static_cast<std::uint64_t>(nanoseconds()), std::vector<std::byte>(64)});
    send(socket, out);
  };
  std::size_t left = remote_warm_up + remote_round_trips;
  Reading<Response, std::function<void(const Response&)>> reading(socket, [&](const Response& m) {
    if (--left < remote_round_trips)
      latencies.push_back(nanoseconds() - static_cast<double>(m.sent));
    left > 0 ? ask() : io.stop();
  });
  reading.go();
  ask();
  io.run();
  percentiles("remote_rt", latencies);
}
void open_loop(asio::io_context& io, tcp::socket& socket) {
  std::vector<double> latencies;
  latencies.reserve(remote_requests);
  std::vector<Word> out;
  std::size_t received = 0;
  std::size_t sent = 0;
  const std::size_t all = remote_warm_up + remote_requests;
  Reading<Response, std::function<void(const Response&)>> reading(socket, [&](const Response& m) {
    if (++received > remote_warm_up)
      latencies.push_back(nanoseconds() - static_cast<double>(m.sent));
    if (received == all) io.stop();
  });
  reading.go();
  const double begin = nanoseconds();
  asio::steady_timer timer(io);
  std::function<void()> tick = [&] {
    timer.expires_after(std::chrono::milliseconds(1));
    timer.async_wait([&](const std::error_code&) {
      const double due = (nanoseconds() - begin) / 1e9 * remote_rate;
      for (; sent < all && static_cast<double>(sent) < due; ++sent)
        append(out,
               Response{static_cast<std::uint64_t>(nanoseconds()), std::vector<std::byte>(64)});
      if (!out.empty()) send(socket, out);
      if (sent < all) tick();
    });
  };
  tick();
  io.run();
  percentiles("remote_load", latencies);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  if (argc != 2) return 2;
  const std::string_view workload = argv[1];
  const bool is_1k = workload == "oneway1k";
  const std::size_t items = is_1k ? remote_items_1k : remote_items_64;
  asio::io_context io(1);
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  const auto address = acceptor.local_endpoint();
  io.notify_fork(asio::io_context::fork_prepare);
  const pid_t server = fork();
  if (server == 0) {
    io.notify_fork(asio::io_context::fork_child);
    tcp::socket socket = acceptor.accept();
    socket.set_option(tcp::no_delay(true));
    workload.starts_with("oneway") ? serve_items(io, socket, items) : serve_requests(io, socket);
    return 0;
  }
  io.notify_fork(asio::io_context::fork_parent);
  {
    tcp::socket socket(io);
    socket.connect(address);
    socket.set_option(tcp::no_delay(true));
    if (workload == "oneway64" || is_1k) {
      one_way(socket, is_1k ? "remote_oneway1k" : "remote_oneway64", is_1k ? 1024 : 64, items);
    } else if (workload == "rt") {
      round_trips(io, socket);
    } else if (workload == "load") {
      open_loop(io, socket);
    } else {
      require(false, "there is no such workload");
    }
  }
  waitpid(server, nullptr, 0);
}
