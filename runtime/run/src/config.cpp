#include <troupe/run/config.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "option_table.hpp"

namespace troupe {

namespace {

std::string place(std::string_view source, const toml::source_region& region) {
  return std::string(source) + ":" + std::to_string(region.begin.line) + ":" +
         std::to_string(region.begin.column) + ": ";
}

/// A value as a text; its kind is looked at by `assign`.
std::string text_of(const toml::node& node, std::string_view key, std::string_view where) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  throw ConfigError(std::string(where) + std::string(key) +
                    " is a number or a text in quotes, not another kind of value");
}

void read_table(SystemOptions& options, const toml::table& table, const std::string& prefix,
                std::string_view source) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    const std::string where = place(source, key.source());
    const auto* inner = node.as_table();
    if (inner != nullptr && prefix.empty() && name + "." == run_detail::phase_prefix) {
      read_table(options, *inner, name + ".", source);
    } else {
      run_detail::check_key(options, name, where);
      run_detail::assign(options, name, text_of(node, name, where), where);
    }
  }
}

}  // namespace

void read_config_text(SystemOptions& options, std::string_view toml, std::string_view source) {
  toml::table file;
  try {
    file = toml::parse(toml, source);
  } catch (const toml::parse_error& e) {
    throw ConfigError(place(source, e.source()) + std::string(e.description()));
  }
  const toml::node* ours = file.get("troupe");
  if (ours == nullptr) return;
  if (!ours->is_table())
    throw ConfigError(place(source, ours->source()) + "troupe is a table: [troupe]");
  SystemOptions changed = options;
  read_table(changed, *ours->as_table(), "", source);
  options = std::move(changed);
}

void read_config_file(SystemOptions& options, const std::filesystem::path& file) {
  std::string text;
  std::error_code unknown;  // what can't be looked at can't be opened either
  bool is_read = !std::filesystem::is_directory(file, unknown);
  try {
    std::ifstream in(file);
    text.assign(std::istreambuf_iterator<char>(in), {});
    is_read = is_read && in;
  } catch (const std::ios_base::failure&) {
    is_read = false;
  }
  if (!is_read) throw ConfigError(file.string() + ": the configuration can't be read");
  read_config_text(options, text, file.string());
}

void read_config_environment(SystemOptions& options, const char* const* variables) {
  constexpr std::string_view prefix = "TROUPE_";
  SystemOptions changed = options;
  for (; *variables != nullptr; ++variables) {
    const std::string_view variable = *variables;
    const std::size_t equals = variable.find('=');
    if (!variable.starts_with(prefix) || equals == std::string_view::npos) continue;
    const std::string_view name = variable.substr(0, equals);
    if (name == "TROUPE_CONFIG") continue;
    std::string key(name.substr(prefix.size()));
    std::transform(key.begin(), key.end(), key.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    run_detail::assign(changed, key, variable.substr(equals + 1),
                       "environment variable " + std::string(name) + ": ");
  }
  options = std::move(changed);
}

void set_option(SystemOptions& options, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos) {
    throw ConfigError("\"" + std::string(assignment) +
                      "\" sets nothing: write key=value, such as ask_timeout=2s");
  }
  run_detail::assign(options, assignment.substr(0, equals), assignment.substr(equals + 1), "");
}

std::string print_config(const SystemOptions& options) {
  std::string text = "[troupe]\n";
  for (const run_detail::OptionRow& row : run_detail::option_rows()) {
    const bool is_text = row.unit == run_detail::Unit::time;
    const std::string_view quote = is_text ? "\"" : "";
    text.append("# ").append(row.help).append("\n");
    text.append(row.key).append(" = ").append(quote);
    text.append(value_of(options, row)).append(quote).append("\n");
  }
  text += "\n[troupe.shutdown_phases]  # in order; how long each may take\n";
  for (const ShutdownPhase& phase : options.shutdown_phases) {
    text.append(phase.name).append(" = \"");
    text.append(run_detail::print_time(phase.timeout)).append("\"\n");
  }
  return text;
}

}  // namespace troupe
