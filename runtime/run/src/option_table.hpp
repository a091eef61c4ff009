// The options that can be set, one row each.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <troupe/runtime/options.hpp>

namespace troupe::run_detail {

enum class Unit : unsigned char { count, bytes, time };

/// An option of this name; `help` is its reason in one line.
struct OptionRow {
  std::string_view key;
  Unit unit;
  std::variant<std::uint32_t SystemOptions::*, std::uint64_t SystemOptions::*,
               Duration SystemOptions::*>
      field;
  std::uint64_t least;
  std::uint64_t most;  ///< or what the field holds, if that is less
  std::string_view help;
};
[[nodiscard]] std::span<const OptionRow> option_rows();

/// Throws ConfigError, which names the nearest key, unless there is such an option.
void check_key(const SystemOptions& options, std::string_view key, std::string_view where);
/// Sets an option from a text. Throws ConfigError that begins with `where`.
void assign(SystemOptions& options, std::string_view key, std::string_view text,
            std::string_view where);
/// The value of an option as a text that `assign` takes.
[[nodiscard]] std::string value_of(const SystemOptions& options, const OptionRow& row);
[[nodiscard]] std::string print_time(Duration time);

inline constexpr std::string_view phase_prefix = "shutdown_phases.";

}  // namespace troupe::run_detail
