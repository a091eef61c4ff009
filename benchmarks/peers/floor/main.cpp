// The floor's workloads. Usage: floor_bench WORKLOAD WORKERS
#include <cstdlib>
#include <map>
#include <string_view>

#include "workloads.hpp"

int main(int argc, char** argv) {
  using namespace bench;
  const std::map<std::string_view, void (*)(int)> workloads = {
      {"pingpong", ping_pong},
      {"pairs", many_pairs},
      {"ring", ring},
      {"spawn", spawn},
      {"stop", stop},
      {"fanin", fan_in},
      {"timers", million_timers},
      {"outside_ask", ask_from_outside},
      {"touch_memory", touch_memory},
  };
  const auto workload = workloads.find(argc == 3 ? argv[1] : "");
  if (workload == workloads.end()) return 2;
  workload->second(std::atoi(argv[2]));
}
