// `troupe node`: a look at a running node, over its admin socket.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace troupe::tools {

/// Adds `node ls|ping|ps|why|stop`; one that is chosen sets `run`, which returns the exit code.
void add_node_command(CLI::App& app, std::function<int()>& run);

}  // namespace troupe::tools
