// What `./dev bench --gate` counts: one path of the runtime, on one worker, without a wait for time
// or for another thread. Usage: path_counts PATH N. Without arguments it names its compiler and the
// paths.
//
// Each workload runs twice. The first run warms up; in the second the process ends with the Nth
// operation, in the middle of the workload. So two processes with N and 2 N differ by N operations,
// and by nothing else.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <troupe/runtime/runtime.hpp>

namespace bench {
namespace {

constexpr std::int64_t operations = 8'192;  // fewer than what slows a sender (slow_senders_above)

/// The thread that calls this is the one that is counted: see baseline.py.
extern "C" [[noreturn, gnu::noinline]] void end_counting() {
  std::_Exit(0);
}

/// Ends the process with one of its operations. All of them happen on the one worker.
class Countdown {
 public:
  void set(std::int64_t left) { left_ = left; }
  void count() {
    if (--left_ == 0) end_counting();
  }

 private:
  std::int64_t left_ = 0;  // below: not set
};
Countdown sends;
Countdown receives;
Countdown answers;
Countdown spawns;
Countdown ends;

struct Run {
  using Reply = void;
};
/// Runs a part of the workload, and waits for its end.
template <class Actor>
void run(const Actor& actor) {
  actor.ask(Run{}, troupe::no_timeout).await();
}
void stop(troupe::System& system, const troupe::Ref<>& actor) {
  system.stop(actor, std::chrono::hours(1)).await();
}

struct Number {
  std::int64_t n;
};
class Receiver : public troupe::Actor<Number, Run> {
 public:
  void receive(const Number&) { receives.count(); }
  void receive(const Run&) {}
};
class Sender : public troupe::Actor<Run> {
 public:
  explicit Sender(troupe::Ref<Number> to) : to_(to) {}
  void receive(const Run&) {
    for (std::int64_t i = 0; i < operations; ++i) {
      to_.tell(Number{i});
      sends.count();
    }
  }

 private:
  troupe::Ref<Number> to_;
};
/// First all are sent, then all are received: but for the first none wakes anybody.
void flood(troupe::System& system) {
  auto receiver = system.spawn<Receiver>();
  auto sender = system.spawn<Sender>(receiver);
  run(sender);
  run(receiver);
  stop(system, sender);
  stop(system, receiver);
}

struct Pong {};
struct Ping {
  troupe::Ref<Pong> from;
};
class Ponger : public troupe::Actor<Ping> {
 public:
  void receive(const Ping& m) {
    receives.count();
    m.from.tell(Pong{});
  }
};
class Pinger : public troupe::Actor<Run, Pong> {
 public:
  explicit Pinger(troupe::Ref<Ping> ponger) : ponger_(ponger) {}
  void receive(const Run&, troupe::ReplyTo<void> is_over) {
    is_over_.emplace(std::move(is_over));
    ponger_.tell(Ping{self()});
  }
  void receive(const Pong&) {
    receives.count();
    if (--left_ > 0) {
      ponger_.tell(Ping{self()});
    } else {
      (*is_over_)();
    }
  }

 private:
  troupe::Ref<Ping> ponger_;
  std::optional<troupe::ReplyTo<void>> is_over_;
  std::int64_t left_ = operations / 2;
};
/// Each message wakes an actor that has no other mail.
void ping_pong(troupe::System& system) {
  auto ponger = system.spawn<Ponger>();
  auto pinger = system.spawn<Pinger>(ponger);
  run(pinger);
  stop(system, pinger);
  stop(system, ponger);
}

struct Next {
  std::int64_t n;
  using Reply = std::int64_t;
};
class Server : public troupe::Actor<Next> {
 public:
  std::int64_t receive(const Next& m) { return m.n + 1; }
};
class Client : public troupe::Actor<Run> {
 public:
  explicit Client(troupe::Ref<Next> server) : server_(server) {}
  void receive(const Run&) {
    for (std::int64_t i = 0; i < operations; i = server_.ask(Next{i}).await()) answers.count();
  }

 private:
  troupe::Ref<Next> server_;
};
void ask_one_by_one(troupe::System& system) {
  auto server = system.spawn<Server>();
  auto client = system.spawn<Client>(server);
  run(client);
  stop(system, client);
  stop(system, server);
}

struct Go {};
std::int64_t children = 0;
std::optional<troupe::ReplyTo<void>> last_has_ended;

class Child : public troupe::Actor<Go> {
 public:
  Child() { ++children; }
  ~Child() override {
    ends.count();
    if (--children == 0) (*last_has_ended)();
  }
  void receive(const Go&) { stop(); }
};
class Parent : public troupe::Actor<Run> {
 public:
  void receive(const Run&, troupe::ReplyTo<void> is_over) {
    last_has_ended.emplace(std::move(is_over));
    std::vector<troupe::Ref<Go>> all;
    all.reserve(operations);
    for (std::int64_t i = 0; i < operations; ++i) {
      all.push_back(spawn<Child>());
      spawns.count();
    }
    for (auto& child : all) child.tell(Go{});
  }
};
/// First all are spawned, then each is told to end.
void spawn_and_end(troupe::System& system) {
  auto parent = system.spawn<Parent>();
  run(parent);
  stop(system, parent);
}

struct Path {
  void (*workload)(troupe::System&);
  Countdown& counted;
};
const std::map<std::string_view, Path> paths = {
    {"tell", {flood, sends}},
    {"receive", {flood, receives}},
    {"tell_idle", {ping_pong, receives}},
    {"ask", {ask_one_by_one, answers}},
    {"spawn", {spawn_and_end, spawns}},
    {"stop", {spawn_and_end, ends}},
};

/// On the worker, so that no thread waits for another between the two runs.
class Conductor : public troupe::Actor<Run> {
 public:
  Conductor(troupe::System& system, const Path& path, std::int64_t n)
      : system_(system), path_(path), n_(n) {}
  void receive(const Run&) {
    path_.workload(system_);
    path_.counted.set(n_);
    path_.workload(system_);
  }

 private:
  troupe::System& system_;
  const Path& path_;
  std::int64_t n_;
};

void print_paths() {
#if defined(__clang__)
  std::printf("clang++ %d.%d.%d\n", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  std::printf("g++ %s\n", __VERSION__);
#endif
  for (const auto& [name, path] : paths) std::printf("%s\n", name.data());
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  if (argc == 1) {
    bench::print_paths();
    return 0;
  }
  const auto path = bench::paths.find(argv[1]);
  const std::int64_t n = argc == 3 ? std::atoll(argv[2]) : 0;
  if (path == bench::paths.end() || n < 1 || n > bench::operations) return 2;
  troupe::SystemOptions options;
  options.workers = 1;
  options.log = troupe::no_log();
  troupe::System system{std::move(options)};
  auto conductor = system.spawn<bench::Conductor>(system, path->second, n);
  while (system.metrics().parks == 0) std::this_thread::yield();  // else it sleeps once, or never
  bench::run(conductor);
  return 1;  // the operation was not reached
}
