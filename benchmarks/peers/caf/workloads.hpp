// The workloads on CAF 0.17. Each runs on the system it is given and prints its results.
#pragma once

#include <caf/all.hpp>

#include "../../measure.hpp"

namespace bench {

using go_atom = caf::atom_constant<caf::atom("go")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using ping_atom = caf::atom_constant<caf::atom("ping")>;
using pong_atom = caf::atom_constant<caf::atom("pong")>;
using next_atom = caf::atom_constant<caf::atom("next")>;
using number_atom = caf::atom_constant<caf::atom("number")>;
using token_atom = caf::atom_constant<caf::atom("token")>;
using get_atom = caf::atom_constant<caf::atom("get")>;
using credit_atom = caf::atom_constant<caf::atom("credit")>;
using debit_atom = caf::atom_constant<caf::atom("debit")>;
using done_atom = caf::atom_constant<caf::atom("done")>;
using enter_atom = caf::atom_constant<caf::atom("enter")>;
using change_atom = caf::atom_constant<caf::atom("change")>;
using left_atom = caf::atom_constant<caf::atom("left")>;
using crash_atom = caf::atom_constant<caf::atom("crash")>;
using up_atom = caf::atom_constant<caf::atom("up")>;

/// Whom the message being handled is from.
inline caf::actor sender_of(caf::event_based_actor* self) {
  return caf::actor_cast<caf::actor>(self->current_sender());
}

// round_trips.cpp
void ping_pong(caf::actor_system& system);
void many_pairs(caf::actor_system& system);
void ring(caf::actor_system& system);
void big(caf::actor_system& system);
void chameneos(caf::actor_system& system);
// one_way.cpp
void fan_in(caf::actor_system& system);
void fork_join(caf::actor_system& system);
void counting(caf::actor_system& system);
void radix(caf::actor_system& system);
// life.cpp
void spawn(caf::actor_system& system);
void stop(caf::actor_system& system);
void create(caf::actor_system& system);
void fib(caf::actor_system& system);
// asks.cpp
void ask_1(caf::actor_system& system);
void ask_100(caf::actor_system& system);
void banking(caf::actor_system& system);
// restart.cpp
void restart_1k(caf::actor_system& system);
void restart_100k(caf::actor_system& system);
// timed.cpp
void million_timers(caf::actor_system& system);
void load_50k(caf::actor_system& system);
void load_200k(caf::actor_system& system);

}  // namespace bench
