// Requests at a fixed rate, whether or not they are answered in time (an open loop): how long each
// takes from its sender over a server to the collector.
#include <string>
#include <vector>

#include "workloads.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

Latch latch;

struct Response {
  troupe::TimePoint sent;
};
struct Request {
  troupe::TimePoint sent;
  troupe::Ref<Response> to;
};
class Server : public troupe::Actor<Request> {
 public:
  void receive(const Request& m) { m.to.tell(Response{m.sent}); }
};
class Collector : public troupe::Actor<Response> {
 public:
  explicit Collector(std::vector<double>& latencies) : latencies_(latencies) {}
  void receive(const Response& m) {
    latencies_.push_back(static_cast<double>((now() - m.sent).count()));
    if (latencies_.size() < latencies_.capacity()) return;
    stop();
    latch.count_down();
  }

 private:
  std::vector<double>& latencies_;  // main's, which waits meanwhile
};
struct Tick {};
/// Sends each millisecond what is due.
class Generator : public troupe::Actor<troupe::Private<Tick>> {
 public:
  Generator(std::vector<troupe::Ref<Request>> servers, troupe::Ref<Response> collector, double rate,
            std::size_t requests)
      : servers_(std::move(servers)), collector_(collector), rate_(rate), requests_(requests) {}
  void on_start() override {
    begin_ = now();
    start_timer("tick", 1ms, Tick{});
  }
  void receive(const Tick&) {
    const double due = std::chrono::duration<double>(now() - begin_).count() * rate_;
    for (; sent_ < requests_ && static_cast<double>(sent_) < due; ++sent_)
      servers_[choices_.index(servers_.size())].tell(Request{now(), collector_});
    if (sent_ < requests_) {
      start_timer("tick", 1ms, Tick{});
    } else {
      stop();
    }
  }

 private:
  std::vector<troupe::Ref<Request>> servers_;
  troupe::Ref<Response> collector_;
  double rate_;
  std::size_t requests_;
  std::size_t sent_ = 0;
  troupe::TimePoint begin_;
  Choices choices_{1};
};

std::vector<double> latencies_at(troupe::System& system, double rate, double seconds) {
  const auto requests = static_cast<std::size_t>(rate * seconds);
  std::vector<double> latencies;
  latencies.reserve(requests);
  std::vector<troupe::Ref<Request>> servers;
  for (std::int64_t i = 0; i < load_servers; ++i) servers.push_back(system.spawn<Server>());
  latch.reset(1);
  auto collector = system.spawn<Collector>(latencies);
  system.spawn<Generator>(std::move(servers), collector, rate, requests);
  latch.wait();
  return latencies;
}
void load(troupe::System& system, const std::string& name, double rate) {
  latencies_at(system, rate, load_warm_up_s);
  percentiles(name, latencies_at(system, rate, load_s));
}

}  // namespace

void load_50k(troupe::System& system) {
  load(system, "load50k", 50e3);
}
void load_200k(troupe::System& system) {
  load(system, "load200k", 200e3);
}

}  // namespace bench
