// Two processes on 127.0.0.1, each a node: one sends, one serves. Usage:
// troupe_remote_bench WORKLOAD WORKERS [TLS_DIRECTORY]
#include <sys/wait.h>
#include <unistd.h>
#include <functional>
#include <map>
#include <string_view>

#include <troupe/remoting/node.hpp>
#include <troupe/remoting/tcp.hpp>
#include <troupe/runtime/runtime.hpp>

#include "remote/remote.capnp.hpp"
#include "sizes.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

struct NodeOf {
  NodeOf(const std::string& name, std::uint32_t workers, const char* tls)
      : system(options(workers)), node(system, node_options(name), transport(name, tls)) {}
  static troupe::SystemOptions options(std::uint32_t workers) {
    troupe::SystemOptions o;
    o.workers = workers;
    o.log = troupe::no_log();
    return o;
  }
  static troupe::remoting::NodeOptions node_options(const std::string& name) {
    troupe::remoting::NodeOptions o;
    o.cluster = "bench";
    o.name = name;
    o.key = std::vector<std::byte>(32, std::byte{7});
    o.message_bytes_max = remote_large_bytes + 1024;
    return o;
  }
  static std::unique_ptr<troupe::remoting::Transport> transport(const std::string& name,
                                                                const char* tls) {
    troupe::remoting::TcpOptions o;
    if (tls != nullptr) o.tls = troupe::remoting::TlsFiles::in(tls, name);
    return troupe::remoting::TcpTransport::create(std::move(o));
  }
  troupe::System system;
  troupe::remoting::Node node;
};

class Serving : public troupe::Actor<Item, Echo, Request> {
 public:
  void receive(const Item&) {}
  Item receive(const Echo& m) { return {m.payload}; }
  void receive(const Request& m) { m.to.tell(Response{m.sent, m.payload}); }
};

Latch latch;

struct Begin {
  std::size_t items = 0;
};
/// Sends items, one of some waiting for room, and asks at last.
class Sender : public troupe::Actor<Begin> {
 public:
  Sender(troupe::Ref<Server> server, std::size_t bytes)
      : server_(server), item_{std::vector<std::byte>(bytes)} {}
  troupe::Task<void> receive(const Begin& m) {
    for (std::size_t n = 1; n <= m.items; ++n) {
      if (n % remote_send_every != 0) {
        require(server_.tell(item_) == troupe::Sent::ok, "an item was refused");
        continue;
      }
      auto room = server_.send(item_, 1min);
      co_await room;
    }
    auto all = server_.ask(Echo{}, 1min);
    co_await all;
    latch.count_down();
  }

 private:
  troupe::Ref<Server> server_;
  Item item_;
};

void one_way(NodeOf& client, troupe::Ref<Server> server, const std::string& name, std::size_t bytes,
             std::size_t items) {
  const auto sender = client.system.spawn<Sender>(server, bytes);
  const auto send = [&](std::size_t n) {
    latch.reset(1);
    sender.tell(Begin{n});
    latch.wait();
  };
  send(items / 10);
  const double begin = nanoseconds();
  send(items);
  result(name, (nanoseconds() - begin) / static_cast<double>(items));
}

class Asker : public troupe::Actor<Begin> {
 public:
  Asker(troupe::Ref<Server> server, std::vector<double>& latencies)
      : server_(server), latencies_(latencies) {}
  troupe::Task<void> receive(const Begin& m) {
    const Echo echo{std::vector<std::byte>(64)};
    latencies_.clear();
    for (std::size_t i = 0; i < m.items; ++i) {
      const double begin = nanoseconds();
      co_await server_.ask(echo);
      latencies_.push_back(nanoseconds() - begin);
    }
    latch.count_down();
  }

 private:
  troupe::Ref<Server> server_;
  std::vector<double>& latencies_;  // main's, which waits meanwhile
};

void round_trips(NodeOf& client, troupe::Ref<Server> server, const std::string& name,
                 std::size_t number) {
  std::vector<double> latencies;
  latencies.reserve(number);
  const auto asker = client.system.spawn<Asker>(server, latencies);
  for (const std::size_t n : {remote_warm_up, number}) {
    latch.reset(1);
    asker.tell(Begin{n});
    latch.wait();
  }
  percentiles(name, latencies);
}

/// One large message after the other, until it is dropped.
class LargeSender : public troupe::Actor<Begin> {
 public:
  LargeSender(troupe::Ref<Server> server, std::atomic<int>& sent) : server_(server), sent_(sent) {}
  void receive(const Begin&) {
    const Echo large{std::vector<std::byte>(remote_large_bytes)};
    for (;; ++sent_) {
      const auto answer = server_.ask(large, 1min).try_await();
      require(answer.has_value(), "a large message was not answered");
    }
  }

 private:
  troupe::Ref<Server> server_;
  std::atomic<int>& sent_;
};

class Collecting : public troupe::Actor<Response> {
 public:
  Collecting(std::vector<double>& latencies, std::size_t number)
      : latencies_(latencies), number_(number) {}
  void receive(const Response& m) {
    latencies_.push_back(nanoseconds() - static_cast<double>(m.sent));
    if (latencies_.size() == number_) latch.count_down();
  }

 private:
  std::vector<double>& latencies_;  // main's, which waits meanwhile
  std::size_t number_;
};
/// Sends each millisecond what is due.
class Generator : public troupe::Actor<Begin> {
 public:
  Generator(troupe::Ref<Server> server, troupe::Ref<Collector> collector, double rate,
            std::size_t requests)
      : server_(server),
        request_{0, collector, std::vector<std::byte>(64)},
        rate_(rate),
        requests_(requests) {}
  void on_start() override {
    begin_ = now();
    start_timer("tick", 1ms, Begin{});
  }
  void receive(const Begin&) {
    const double due = std::chrono::duration<double>(now() - begin_).count() * rate_;
    for (; sent_ < requests_ && static_cast<double>(sent_) < due; ++sent_) {
      request_.sent = static_cast<std::uint64_t>(nanoseconds());
      require(server_.tell(request_) == troupe::Sent::ok, "a request was refused");
    }
    if (sent_ < requests_) start_timer("tick", 1ms, Begin{});
  }

 private:
  troupe::Ref<Server> server_;
  Request request_;
  double rate_;
  std::size_t requests_;
  std::size_t sent_ = 0;
  troupe::TimePoint begin_;
};

std::vector<double> latencies_at(NodeOf& client, troupe::Ref<Server> server, double rate,
                                 std::size_t requests) {
  std::vector<double> latencies;
  latencies.reserve(requests);
  latch.reset(1);
  const auto collector = client.system.spawn<Collecting>(latencies, requests);
  client.system.spawn<Generator>(server, troupe::Ref<Collector>{collector}, rate, requests);
  latch.wait();
  return latencies;
}
void open_loop(NodeOf& client, troupe::Ref<Server> server) {
  latencies_at(client, server, remote_rate, remote_warm_up);
  percentiles("remote_load", latencies_at(client, server, remote_rate, remote_requests));
}
void beside_large(NodeOf& client, troupe::Ref<Server> server, troupe::Ref<Server> of_large) {
  std::atomic<int> sent{0};
  const auto large = client.system.spawn<LargeSender>(of_large, sent);
  large.tell(Begin{});
  while (sent < 1) std::this_thread::sleep_for(1ms);
  percentiles("remote_beside_large",
              latencies_at(client, server, remote_rate_beside_large, remote_requests_beside_large));
  require(sent > 1, "no large message went meanwhile");
  std::fprintf(stderr, "large messages: %d\n", sent.load());
  std::_Exit(0);  // without a goodbye, which would wait for the large one
}

/// Until its input ends, with the process that sends.
void serve(int address_to, int end_from, std::uint32_t workers, const char* tls) {
  NodeOf server("server", workers, tls);
  server.system.spawn<Serving>({.name = "server"});
  server.system.spawn<Serving>({.name = "large"});
  const std::string address = server.node.address() + "\n";
  require(write(address_to, address.data(), address.size()) > 0, "nobody reads the address");
  char none = 0;
  static_cast<void>(read(end_from, &none, 1));
}

std::string read_line(int from) {
  std::string line;
  for (char c = 0; read(from, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

void run(std::string_view workload, const std::string& address, std::uint32_t workers,
         const char* tls) {
  NodeOf client("client", workers, tls);
  const auto server = client.node.resolve<Server>("troupe://" + address + "/server").await();
  const auto large = client.node.resolve<Server>("troupe://" + address + "/large").await();
  const std::map<std::string_view, std::function<void()>> workloads = {
      {"oneway64", [&] { one_way(client, server, "remote_oneway64", 64, remote_items_64); }},
      {"oneway1k", [&] { one_way(client, server, "remote_oneway1k", 1024, remote_items_1k); }},
      {"rt", [&] { round_trips(client, server, "remote_rt", remote_round_trips); }},
      {"load", [&] { open_loop(client, server); }},
      {"large", [&] { beside_large(client, server, large); }},
  };
  const auto chosen = workloads.find(workload);
  require(chosen != workloads.end(), "there is no such workload");
  chosen->second();
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) return 2;
  const auto workers = static_cast<std::uint32_t>(std::atoi(argv[2]));
  const char* const tls = argc == 4 ? argv[3] : nullptr;
  int addresses[2];
  int end[2];
  bench::require(pipe(addresses) == 0 && pipe(end) == 0, "no pipe");
  const pid_t server = fork();
  if (server == 0) {
    close(end[1]);
    bench::serve(addresses[1], end[0], workers, tls);
    return 0;
  }
  bench::run(argv[1], bench::read_line(addresses[0]), workers, tls);
  close(end[1]);
  waitpid(server, nullptr, 0);
}
