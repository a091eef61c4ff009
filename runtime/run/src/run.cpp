#include <troupe/run/run.hpp>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>
#include <troupe/run/config.hpp>

namespace troupe {

namespace {

constexpr int wrong_use = 2;
constexpr int start_failed = 1;
constexpr int not_stopped = 3;

struct CommandLine {
  std::string config;
  std::vector<std::string> assignments;
  bool print_config = false;
  Arguments rest;
};

/// An exit code when there is nothing to run.
std::optional<int> parse(int argc, char** argv, bool takes_more, CommandLine& line) {
  CLI::App app{
      "Options of the actor system. A key is set by, later ones first: --set, the "
      "environment (TROUPE_ASK_TIMEOUT=2s), the configuration file."};
  app.set_help_flag("--help", "print this, and end");
  app.add_option("--config", line.config, "TOML file with a [troupe] table")
      ->envname("TROUPE_CONFIG");
  app.add_option("--set", line.assignments, "key=value, such as ask_timeout=2s; repeatable")
      ->allow_extra_args(false);
  app.add_flag("--print-config", line.print_config, "print all options with their values, and end");
  app.allow_extras(takes_more);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : wrong_use;
  }
  line.rest = app.remaining();
  return std::nullopt;
}

SystemOptions options_of(const CommandLine& line, SystemOptions options) {
  if (!line.config.empty()) read_config_file(options, line.config);
  read_config_environment(options, environ);
  for (const std::string& assignment : line.assignments) set_option(options, assignment);
  return options;
}

int run_system(const std::string& program, SystemOptions options,
               const std::function<void(System&)>& start) {
  const auto failed = [&](const char* why) {
    std::fprintf(stderr, "%s: could not start: %s\n", program.c_str(), why);
    return start_failed;
  };
  std::optional<System> made;
  int code = 0;
  try {
    made.emplace(std::move(options));
    code = made->run_until_signal([&] { start(*made); });
  } catch (const std::exception& e) {
    return failed(e.what());
  } catch (...) {  // whatever it is, it is told and nothing runs on
    return failed("an unknown exception");
  }
  if (code == not_stopped) std::_Exit(code);  // what is stuck would hang the destructor
  return code;
}

int run_program(int argc, char** argv, bool takes_more,
                const std::function<void(System&, const Arguments&)>& start,
                SystemOptions defaults) {
  const std::string program = argc > 0 ? argv[0] : "program";
  CommandLine line;
  if (const auto code = parse(argc, argv, takes_more, line)) return *code;
  SystemOptions options;
  try {
    options = options_of(line, std::move(defaults));
  } catch (const ConfigError& e) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), e.what());
    return wrong_use;
  }
  if (line.print_config) {
    std::fputs(print_config(options).c_str(), stdout);
    return 0;
  }
  return run_system(program, std::move(options), [&](System& system) { start(system, line.rest); });
}

}  // namespace

int run(int argc, char** argv, const std::function<void(System&)>& start, SystemOptions defaults) {
  return run_program(
      argc, argv, false, [&](System& system, const Arguments&) { start(system); },
      std::move(defaults));
}

int run(int argc, char** argv, const std::function<void(System&, const Arguments&)>& start,
        SystemOptions defaults) {
  return run_program(argc, argv, true, start, std::move(defaults));
}

}  // namespace troupe
