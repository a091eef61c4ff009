// troupe: the command. Exit codes: 0 all well, 1 what was asked for is not so, 2 wrong use.
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cert_command.hpp"
#include "node_command.hpp"
#include "schema_check.hpp"

namespace {

int check(const std::string& old_file, const std::string& new_file,
          std::vector<std::string> imports) {
  imports.insert(imports.end(), {TROUPE_SCHEMA_DIR, TROUPE_INSTALLED_SCHEMA_DIR});
  bool is_compatible = true;
  try {
    for (const auto& c : troupe::tools::check_schema(old_file, new_file, imports)) {
      std::cout << new_file << (c.line > 0 ? ":" + std::to_string(c.line) : "") << ": "
                << (c.is_compatible ? "note" : "error") << ": " << c.where << ": " << c.what
                << "\n";
      is_compatible = is_compatible && c.is_compatible;
    }
  } catch (const troupe::tools::BadSchema& e) {
    std::cerr << "troupe: " << e.what() << "\n";
    return 2;
  }
  if (is_compatible) std::cout << new_file << ": old and new can read each other\n";
  return is_compatible ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Looks after programs made with Troupe."};
  app.require_subcommand(1);
  std::function<int()> run;
  troupe::tools::add_cert_command(app, run);
  troupe::tools::add_node_command(app, run);
  auto* schema = app.add_subcommand("schema", "messages' schemas");
  schema->require_subcommand(1);
  auto* checked = schema->add_subcommand(
      "check", "fails on changes after which old and new messages can't be read, and names them");
  std::string old_file;
  std::string new_file;
  std::vector<std::string> imports;
  checked->add_option("OLD", old_file, "the schema that messages were written with")
      ->required()
      ->check(CLI::ExistingFile);
  checked->add_option("NEW", new_file, "the schema of today")->required()->check(CLI::ExistingFile);
  checked->add_option("-I,--import-path", imports, "folders for imports that begin with a slash");
  checked->callback([&] { run = [&] { return check(old_file, new_file, imports); }; });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return run();
}
