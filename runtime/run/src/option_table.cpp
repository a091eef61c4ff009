#include "option_table.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <vector>

#include <troupe/run/config.hpp>

namespace troupe::run_detail {

namespace {

constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t one_gibibyte = std::uint64_t{1} << 30;

constexpr OptionRow rows[] = {
    {"workers", Unit::count, &SystemOptions::workers, 0, any, "worker threads; 0: one per core"},
    {"messages_per_turn_max", Unit::count, &SystemOptions::messages_per_turn_max, 1, any,
     "messages an actor handles before others get their turn"},
    {"ask_timeout", Unit::time, &SystemOptions::ask_timeout, 1, any,
     "how long an ask waits unless it says otherwise"},
    {"handler_stall_after", Unit::time, &SystemOptions::handler_stall_after, 0, any,
     "a handler that runs for so long is reported; 0s: never"},
    {"queue_stall_after", Unit::time, &SystemOptions::queue_stall_after, 0, any,
     "a message that waits for so long is reported; 0s: never"},
    {"stash_max", Unit::count, &SystemOptions::stash_max, 1, any, "messages a stash holds"},
    {"stop_timeout", Unit::time, &SystemOptions::stop_timeout, 0, any,
     "how long a stop lets a handler wait before it is killed"},
    {"kill_grace", Unit::time, &SystemOptions::kill_grace, 0, any,
     "a killed actor whose handler does not return is abandoned after so long; 0s: never"},
    {"shutdown_timeout", Unit::time, &SystemOptions::shutdown_timeout, 1, any,
     "how long the shutdown may take before survivors are left"},
    {"stack_bytes", Unit::bytes, &SystemOptions::stack_bytes, 16 * 1024, one_gibibyte,
     "address space of a fiber's stack"},
    {"blocking_threads_max", Unit::count, &SystemOptions::blocking_threads_max, 1, any,
     "threads of the blocking pool"},
    {"dead_letters_logged_per_second_max", Unit::count,
     &SystemOptions::dead_letters_logged_per_second_max, 0, any,
     "dead letters logged each second before the rest is summed up"},
    {"memory_max", Unit::bytes, &SystemOptions::memory_max, 0, any,
     "the process's memory, over which messages are refused; 0: half of what there is"},
    {"slow_senders_above", Unit::count, &SystemOptions::slow_senders_above, 0, any,
     "messages waiting, over which their senders are slowed; 0: never"},
    {"slow_senders_for", Unit::time, &SystemOptions::slow_senders_for, 0, any,
     "how long a slowed sender waits at most"},
    {"crash_report_bytes_max", Unit::bytes, &SystemOptions::crash_report_bytes_max, 0, one_gibibyte,
     "of what a crash report says of why, message and state"},
    {"seed", Unit::count, &SystemOptions::seed, 0, any,
     "of every random choice; 0: from the operating system"},
};

struct Scale {
  std::string_view unit;
  std::uint64_t factor;
};
constexpr Scale times[] = {{"ns", 1},
                           {"us", 1'000},
                           {"ms", 1'000'000},
                           {"s", 1'000'000'000},
                           {"min", 60'000'000'000},
                           {"h", 3'600'000'000'000}};
constexpr Scale sizes[] = {
    {"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}};
constexpr Scale counts[] = {{"", 1}};

std::span<const Scale> scales_of(Unit unit) {
  if (unit == Unit::time) return times;
  if (unit == Unit::bytes) return sizes;
  return counts;
}
std::string_view example_of(Unit unit) {
  if (unit == Unit::time) return "a time with its unit, such as \"500ms\", \"5s\" or \"2min\"";
  if (unit == Unit::bytes) return "a number of bytes, such as 262144 or \"256KiB\"";
  return "a whole number";
}

/// Null when it is no number with a unit of this kind, or too large.
std::optional<std::uint64_t> parse(std::string_view text, Unit unit, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Scale& scale : scales_of(unit)) {
    if (scale.unit != suffix) continue;
    if (number > most / scale.factor) return std::nullopt;
    return number * scale.factor;
  }
  return std::nullopt;
}

/// The edit distance (Levenshtein 1966, in the row-by-row form of Wagner and Fischer 1974).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, change}));
    }
  }
  return row.back();
}

std::uint64_t parse_or_throw(std::string_view key, std::string_view text, Unit unit,
                             std::uint64_t least, std::uint64_t most, std::string_view where) {
  const auto value = parse(text, unit, most);
  if (!value) {
    throw ConfigError(std::string(where) + std::string(key) + " is " +
                      std::string(example_of(unit)) + ", at most " +
                      (unit == Unit::time ? print_time(Duration(most)) : std::to_string(most)) +
                      "; not \"" + std::string(text) + "\"");
  }
  if (*value < least) {
    throw ConfigError(std::string(where) + std::string(key) + " is at least " +
                      (unit == Unit::time ? print_time(Duration(least)) : std::to_string(least)) +
                      "; not \"" + std::string(text) + "\"");
  }
  return *value;
}

constexpr auto duration_max = static_cast<std::uint64_t>(std::numeric_limits<Duration::rep>::max());

}  // namespace

void check_key(const SystemOptions& options, std::string_view key, std::string_view where) {
  std::vector<std::string> known;
  for (const OptionRow& row : rows) known.emplace_back(row.key);
  for (const ShutdownPhase& phase : options.shutdown_phases)
    known.push_back(std::string(phase_prefix) + phase.name);
  if (std::find(known.begin(), known.end(), key) != known.end()) return;
  const auto nearest = std::min_element(known.begin(), known.end(), [&](auto& a, auto& b) {
    return distance(key, a) < distance(key, b);
  });
  throw ConfigError(std::string(where) + "unknown option \"" + std::string(key) +
                    "\"; did you mean \"" + *nearest + "\"?");
}

std::span<const OptionRow> option_rows() {
  return rows;
}

std::string print_time(Duration time) {
  const auto ns = static_cast<std::uint64_t>(time.count());
  if (ns == 0) return "0s";
  const Scale* best = &times[0];
  for (const Scale& scale : times) {
    if (ns % scale.factor == 0) best = &scale;
  }
  return std::to_string(ns / best->factor) + std::string(best->unit);
}

std::string value_of(const SystemOptions& options, const OptionRow& row) {
  return std::visit(
      [&](auto field) -> std::string {
        if constexpr (std::is_same_v<decltype(field), Duration SystemOptions::*>) {
          return print_time(options.*field);
        } else {
          return std::to_string(options.*field);
        }
      },
      row.field);
}

void assign(SystemOptions& options, std::string_view key, std::string_view text,
            std::string_view where) {
  check_key(options, key, where);
  for (const OptionRow& row : rows) {
    if (row.key != key) continue;
    std::visit(
        [&](auto field) {
          using Value = std::remove_cvref_t<decltype(options.*field)>;
          if constexpr (std::is_same_v<Value, Duration>) {
            options.*field =
                Duration(parse_or_throw(key, text, row.unit, row.least, duration_max, where));
          } else {
            options.*field = static_cast<Value>(parse_or_throw(
                key, text, row.unit, row.least,
                std::min<std::uint64_t>(row.most, std::numeric_limits<Value>::max()), where));
          }
        },
        row.field);
    return;
  }
  for (ShutdownPhase& phase : options.shutdown_phases) {
    if (key != std::string(phase_prefix) + phase.name) continue;
    phase.timeout = Duration(parse_or_throw(key, text, Unit::time, 0, duration_max, where));
    return;
  }
}

}  // namespace troupe::run_detail
