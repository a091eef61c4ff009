// The workloads on CAF 0.17 (Debian's libcaf-dev). Usage: caf_bench WORKLOAD WORKERS
#include <cstdlib>
#include <map>
#include <string_view>

#include "workloads.hpp"

int main(int argc, char** argv) {
  using namespace bench;
  const std::map<std::string_view, void (*)(caf::actor_system&)> workloads = {
      {"pingpong", ping_pong},
      {"pairs", many_pairs},
      {"ring", ring},
      {"big", big},
      {"chameneos", chameneos},
      {"fanin", fan_in},
      {"fjthroughput", fork_join},
      {"counting", counting},
      {"radix", radix},
      {"spawn", spawn},
      {"stop", stop},
      {"fjcreate", create},
      {"fib", fib},
      {"ask1", ask_1},
      {"ask100", ask_100},
      {"banking", banking},
      {"restart_1k", restart_1k},
      {"restart_100k", restart_100k},
      {"timers", million_timers},
      {"load50k", load_50k},
      {"load200k", load_200k},
  };
  const auto workload = workloads.find(argc == 3 ? argv[1] : "");
  if (workload == workloads.end()) return 2;
  caf::actor_system_config config;
  config.set("scheduler.max-threads", static_cast<std::size_t>(std::atoi(argv[2])));
  caf::actor_system system{config};
  workload->second(system);
  std::fflush(stdout);
  std::_Exit(0);  // what is left to stop would take CAF longer than what was measured
}
