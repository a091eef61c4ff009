// The workloads on Troupe. Each runs on the System it is given and prints its results.
#pragma once

#include <troupe/runtime/runtime.hpp>

#include "../measure.hpp"

namespace bench {

// round_trips.cpp
void ping_pong(troupe::System& system);
void many_pairs(troupe::System& system);
void ring(troupe::System& system);
void big(troupe::System& system);
void chameneos(troupe::System& system);
// one_way.cpp
void fan_in(troupe::System& system);
void fork_join(troupe::System& system);
void counting(troupe::System& system);
void radix(troupe::System& system);
// life.cpp
void spawn(troupe::System& system);
void spawn_named(troupe::System& system);
void stop(troupe::System& system);
void create(troupe::System& system);
void fib(troupe::System& system);
// asks.cpp
void ask_1(troupe::System& system);
void ask_100(troupe::System& system);
void ask_from_outside(troupe::System& system);
void banking(troupe::System& system);
void suspend_coroutines(troupe::System& system);
void suspend_fibers(troupe::System& system);
void wait_as_processes(troupe::System& system);
// restart.cpp
void restart_1k(troupe::System& system);
void restart_100k(troupe::System& system);
// timers.cpp
void million_timers(troupe::System& system);
// load.cpp
void load_50k(troupe::System& system);
void load_200k(troupe::System& system);

}  // namespace bench
