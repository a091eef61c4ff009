// A System's options from a TOML file, the environment, and text.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include <troupe/runtime/options.hpp>

namespace troupe {

/// A configuration that is wrong: says where, what, and what to do.
/// Thread safety: as a plain value.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Each sets what it names in `options` and leaves the rest as it is; all of them throw ConfigError
// and then leave everything as it is. Keys are the names in SystemOptions, and phases of the
// shutdown as `shutdown_phases.NAME` (their timeout). Times are texts with a unit, "500ms"; bytes
// are numbers or texts, "256KiB".

/// The table `[troupe]` of a TOML file. An unknown key in it is an error that names the nearest
/// known one; other tables are the program's own and not looked at.
void read_config_file(SystemOptions& options, const std::filesystem::path& file);
/// The same of a text; `source` names it in errors.
void read_config_text(SystemOptions& options, std::string_view toml, std::string_view source);
/// Variables TROUPE_<KEY>, as in TROUPE_ASK_TIMEOUT=2s. TROUPE_CONFIG is left to `run`; any other
/// unknown name that begins with TROUPE_ is an error. `variables`: the process's `environ`.
void read_config_environment(SystemOptions& options, const char* const* variables);
/// One option, as in "ask_timeout=2s".
void set_option(SystemOptions& options, std::string_view assignment);

/// All options that can be set, as a TOML file with the values of `options` and their reasons.
[[nodiscard]] std::string print_config(const SystemOptions& options);

}  // namespace troupe
