// `troupe cert`: certificates for the nodes of a cluster.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace troupe::tools {

/// Adds `cert init` and `cert issue`; one that is chosen sets `run`, which returns the exit code.
void add_cert_command(CLI::App& app, std::function<int()>& run);

}  // namespace troupe::tools
