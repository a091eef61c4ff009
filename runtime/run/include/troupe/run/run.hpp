// troupe::run: a program that is a System.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <troupe/runtime/system.hpp>

namespace troupe {

/// What is left of the command line when `run` has taken its own options.
using Arguments = std::vector<std::string>;

/// Makes a System of the options it finds, calls `start`, and waits for SIGINT, SIGTERM or the
/// shutdown. Options come, later ones first served, from `defaults`, the file that `--config` or
/// TROUPE_CONFIG names, the environment, and `--set key=value`; see config.hpp. `--help` and
/// `--print-config` print and end. Returns the process's exit code: as System::run_until_signal, or
/// 2 for a wrong option (nothing was started) and 1 when the System could not be made or an
/// exception left `start`; both are told on standard error. Leaves through std::_Exit when
/// something could not be stopped.
int run(int argc, char** argv, const std::function<void(System&)>& start,
        SystemOptions defaults = {});
/// The same for programs with arguments of their own: what `run` does not know is given to them.
int run(int argc, char** argv, const std::function<void(System&, const Arguments&)>& start,
        SystemOptions defaults = {});

}  // namespace troupe
