// The workloads on Troupe. Usage: troupe_bench WORKLOAD WORKERS
#include <cstdlib>
#include <map>
#include <string_view>

#include "workloads.hpp"

int main(int argc, char** argv) {
  using namespace bench;
  const std::map<std::string_view, void (*)(troupe::System&)> workloads = {
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
      {"spawn_named", spawn_named},
      {"stop", stop},
      {"fjcreate", create},
      {"fib", fib},
      {"ask1", ask_1},
      {"ask100", ask_100},
      {"outside_ask", ask_from_outside},
      {"banking", banking},
      {"coroutines", suspend_coroutines},
      {"fibers", suspend_fibers},
      {"processes", wait_as_processes},
      {"restart_1k", restart_1k},
      {"restart_100k", restart_100k},
      {"timers", million_timers},
      {"load50k", load_50k},
      {"load200k", load_200k},
  };
  const auto workload = workloads.find(argc == 3 ? argv[1] : "");
  if (workload == workloads.end()) return 2;
  troupe::SystemOptions options;
  options.workers = static_cast<std::uint32_t>(std::atoi(argv[2]));
  options.log = troupe::no_log();
  troupe::System system{std::move(options)};
  workload->second(system);
}
