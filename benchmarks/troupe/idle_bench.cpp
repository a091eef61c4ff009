// An idle system: 100,000 actors, ten seconds, and what its threads did meanwhile. Then the way
// out, with refs held. Usage: idle_bench [ACTORS [SECONDS]]
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <troupe/runtime/runtime.hpp>

#include "../measure.hpp"

namespace {

struct Go {
  using Reply = int;
};
class Idle : public troupe::Actor<Go> {
 public:
  int receive(const Go&) { return 1; }
};

struct Usage {
  long switches = 0;
  long ticks = 0;
};
/// Of all threads but this one.
Usage usage() {
  Usage sum;
  const std::string self = std::to_string(gettid());
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (task.path().filename() == self) continue;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      const auto colon = line.find(':');
      if (line.find("ctxt_switches") != line.npos)
        sum.switches += std::atol(line.c_str() + colon + 1);
    }
    std::ifstream stat(task.path() / "stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    std::size_t at = text.rfind(')');
    for (int field = 2; field < 14; ++field) at = text.find(' ', at + 1);
    char* end = nullptr;
    sum.ticks += std::strtol(text.c_str() + at, &end, 10);
    sum.ticks += std::strtol(end, nullptr, 10);
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const int actors = argc > 1 ? std::atoi(argv[1]) : 100'000;
  const int seconds = argc > 2 ? std::atoi(argv[2]) : 10;
  std::vector<troupe::Ref<Idle>> refs;
  double begin = 0;
  long switches = 0;
  {
    troupe::System system;
    for (int i = 0; i < actors; ++i) refs.push_back(system.spawn<Idle>());
    for (auto& ref : refs) static_cast<void>(ref.ask(Go{}).await());
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const Usage before = usage();
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
    const Usage after = usage();
    switches = after.switches - before.switches;
    std::printf("%d actors, %d s: %ld context switches, %ld CPU ticks\n    no wake-up: %s\n",
                actors, seconds, switches, after.ticks - before.ticks,
                switches == 0 ? "met" : "missed");
    begin = bench::nanoseconds();
  }
  std::printf("ended in %.0f ms with %zu refs held\n", (bench::nanoseconds() - begin) / 1e6,
              refs.size());
  return switches == 0 ? 0 : 1;
}
