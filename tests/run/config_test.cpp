// Options from files, the environment and texts.
#include <troupe/run/config.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using Catch::Contains;
using troupe::ConfigError;
using troupe::SystemOptions;

namespace {

SystemOptions read(std::string_view toml) {
  SystemOptions options;
  troupe::read_config_text(options, toml, "orders.toml");
  return options;
}
SystemOptions from_environment(std::vector<const char*> variables) {
  variables.push_back(nullptr);
  SystemOptions options;
  troupe::read_config_environment(options, variables.data());
  return options;
}

}  // namespace

TEST_CASE("a file sets what it names, and the rest keeps its default", "[config]") {
  const SystemOptions options = read(R"(
    title = "orders"
    [troupe]
    workers = 3
    ask_timeout = "1500ms"
    stack_bytes = "64KiB"
    handler_stall_after = "0s"
    seed = 42
    [troupe.shutdown_phases]
    terminate = "2min"
    [database]
    wokers = 9  # the program's own
  )");
  REQUIRE(options.workers == 3);
  REQUIRE(options.ask_timeout == 1500ms);
  REQUIRE(options.stack_bytes == 64 * 1024);
  REQUIRE(options.handler_stall_after == 0s);
  REQUIRE(options.seed == 42);
  REQUIRE(options.shutdown_phases.back().name == "terminate");
  REQUIRE(options.shutdown_phases.back().timeout == 2min);
  REQUIRE(options.stash_max == SystemOptions{}.stash_max);
  REQUIRE(read("[database]\nhost = 1").workers == 0);
}

TEST_CASE("an unknown key is an error with its place and the nearest known one", "[config]") {
  REQUIRE_THROWS_WITH(read("[troupe]\nworker = 4"), Contains("orders.toml:2:1:") &&
                                                        Contains("unknown option \"worker\"") &&
                                                        Contains("did you mean \"workers\"?"));
  REQUIRE_THROWS_WITH(read("[troupe]\nask_time_out = \"4s\""), Contains("\"ask_timeout\""));
  REQUIRE_THROWS_WITH(read("[troupe.shutdown_phases]\nterminated = \"4s\""),
                      Contains("\"shutdown_phases.terminate\""));
}

TEST_CASE("a wrong value is an error that says what is right, and changes nothing", "[config]") {
  const auto wrong = [](const std::string& line, const std::string& says) {
    SystemOptions options;
    options.workers = 7;
    REQUIRE_THROWS_WITH(troupe::read_config_text(options, "[troupe]\nworkers = 1\n" + line, "f"),
                        Contains("f:3:1: ") && Contains(says));
    REQUIRE(options.workers == 7);
  };
  wrong("ask_timeout = 5", "a time with its unit, such as \"500ms\"");
  wrong("ask_timeout = \"5 parsecs\"", "not \"5 parsecs\"");
  wrong("ask_timeout = \"-5s\"", "a time with its unit");
  wrong("ask_timeout = \"0s\"", "at least 1ns");
  wrong("ask_timeout = \"999999999999999h\"", "at most");
  wrong("stash_max = \"many\"", "a whole number");
  wrong("stash_max = -1", "a whole number");
  wrong("stash_max = 4294967296", "at most 4294967295");
  wrong("stack_bytes = \"1KiB\"", "at least 16384");
  wrong("stash_max = 1.5", "another kind of value");
  wrong("stash_max = [1]", "another kind of value");
}

TEST_CASE("what is no TOML is an error with its place", "[config]") {
  REQUIRE_THROWS_WITH(read("[troupe]\nworkers = = 4"), Contains("orders.toml:2:"));
  REQUIRE_THROWS_WITH(read("troupe = 4"), Contains("[troupe]"));
  REQUIRE_THROWS_WITH(read("[troupe]\nworkers = {}"), Contains("another kind of value"));
  REQUIRE_THROWS_WITH(read("[troupe.shutdown_phase]"),
                      Contains("unknown option \"shutdown_phase\""));
  REQUIRE_THROWS_WITH(read("[troupe]\nstack_bytes = \"2GiB\""), Contains("at most 1073741824"));
  SystemOptions options;
  REQUIRE_THROWS_WITH(troupe::read_config_file(options, "/does/not/exist.toml"),
                      Contains("/does/not/exist.toml") && Contains("can't be read"));
  REQUIRE_THROWS_WITH(troupe::read_config_file(options, "/"), Contains("can't be read"));
  troupe::read_config_file(options, "/dev/null");  // an empty file sets nothing
}

TEST_CASE("the environment sets options by their names in capitals", "[config]") {
  const SystemOptions options =
      from_environment({"PATH=/bin", "TROUPE_WORKERS=5", "TROUPE_STOP_TIMEOUT=1min",
                        "TROUPE_CONFIG=/some/file", "MY_TROUPE_X=1"});
  REQUIRE(options.workers == 5);
  REQUIRE(options.stop_timeout == 1min);
  REQUIRE_THROWS_WITH(from_environment({"TROUPE_WORKRES=5"}),
                      Contains("environment variable TROUPE_WORKRES") && Contains("\"workers\""));
  REQUIRE_THROWS_AS(from_environment({"TROUPE_WORKERS="}), ConfigError);
}

TEST_CASE("one option is set by key=value", "[config]") {
  SystemOptions options;
  troupe::set_option(options, "stash_max=12");
  REQUIRE(options.stash_max == 12);
  REQUIRE_THROWS_WITH(troupe::set_option(options, "stash_max"), Contains("key=value"));
}

TEST_CASE("what print_config prints is read back to the same options", "[config]") {
  SystemOptions options;
  options.ask_timeout = 1500ms;
  options.workers = 3;
  options.shutdown_phases.front().timeout = 7s;
  const std::string printed = troupe::print_config(options);
  REQUIRE_THAT(printed, Contains("ask_timeout = \"1500ms\""));
  const SystemOptions again = read(printed);
  REQUIRE(troupe::print_config(again) == printed);
}
