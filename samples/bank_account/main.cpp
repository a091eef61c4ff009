// bank_account: the program. Exit codes: 0 done, 1 refused, 2 wrong use.
#include <sys/stat.h>
#include <fstream>
#include <iostream>

#include <CLI/CLI.hpp>
#include <troupe/persistence_sqlite/sqlite_store.hpp>

#include "bank.hpp"
#include "common/money.hpp"

namespace {

using bank_account::Balance;
using bank_account::Bank;
using bank_account::Refusal;
using troupe::persistence::AsOf;
using troupe::persistence::Journal;

struct Arguments {
  std::string journal;
  std::string number;
  std::string amount = "0";
  std::string text;
  std::string time;
  troupe::persistence::Version version = 0;
  troupe::persistence::Version other_version = 0;
};

std::string path_of(const std::string& journal) {
  const std::string scheme = "sqlite:";
  if (journal.rfind(scheme, 0) != 0 || journal.size() == scheme.size())
    throw Refusal("--journal is sqlite:FILE, and not " + journal);
  return journal.substr(scheme.size());
}

void print(const Balance& balance) {
  std::cout << samples::format_money(balance.cents) << " (version " << balance.version << ")\n";
}

void run_script(Bank& bank, const std::string& path) {
  std::ifstream script(path);
  struct stat file {};
  if (!script || stat(path.c_str(), &file) != 0) throw Refusal("can't read " + path);
  std::optional<std::uint64_t> bytes;
  if (S_ISREG(file.st_mode)) bytes = static_cast<std::uint64_t>(file.st_size);
  samples::ProgressBar bar(stderr);
  const auto result = bank.run(
      script, bytes, [&](const samples::Progress& p) { bar.show(p); },
      [&](const std::string& complaint) {
        bar.clear();
        std::cerr << complaint << '\n';
      });
  bar.clear();
  std::cout << result.done << " done, " << result.refused << " refused\n";
  if (result.refused != 0) throw Refusal("some of the script was refused");
}

void carry_out(const CLI::App& program, const Arguments& a) {
  troupe::System system{{.log = troupe::no_log()}};
  Bank bank(system,
            Journal::open(system, troupe::persistence::open_sqlite({.path = path_of(a.journal)})));
  const auto is = [&](const char* name) { return program.got_subcommand(name); };
  if (is("open")) print(bank.open(a.number, a.amount));
  if (is("deposit")) print(bank.deposit(a.number, a.amount, a.text));
  if (is("withdraw")) print(bank.withdraw(a.number, a.amount, a.text));
  if (is("close")) print(bank.close(a.number, a.text));
  if (is("balance")) print(bank.balance(a.number));
  if (is("history")) bank.history(a.number, std::cout);
  if (is("run")) run_script(bank, a.text);
  if (is("diff")) bank.diff(a.number, a.version, a.other_version, std::cout);
  if (is("verify") && !bank.verify(std::cout)) throw Refusal("the journal is damaged");
  if (is("as-of")) {
    AsOf as_of;
    if (program.get_subcommand("as-of")->count("--version") != 0) as_of.version = a.version;
    if (!a.time.empty()) as_of.time = bank_account::time_of(a.time);
    print(bank.as_of(a.number, as_of));
  }
}

void describe(CLI::App& program, Arguments& a) {
  program.require_subcommand(1);
  program.add_option("--journal", a.journal, "sqlite:FILE; made where there is none")->required();
  const auto command = [&](const char* name, const char* what) {
    CLI::App* const c = program.add_subcommand(name, what);
    c->add_option("ID", a.number, "the account's number")->required();
    return c;
  };
  command("open", "opens an account")->add_option("--initial", a.amount, "its first balance");
  CLI::App* const deposit = command("deposit", "pays in");
  deposit->add_option("AMOUNT", a.amount, "100.00")->required();
  deposit->add_option("SOURCE", a.text, "where it comes from")->required();
  CLI::App* const withdraw = command("withdraw", "pays out");
  withdraw->add_option("AMOUNT", a.amount, "100.00")->required();
  withdraw->add_option("DESTINATION", a.text, "where it goes")->required();
  command("close", "closes an empty account")->add_option("REASON", a.text, "why")->required();
  command("balance", "tells the balance");
  command("history", "lists the events: version, name, data, time");
  CLI::App* const as_of = command("as-of", "tells the balance at a version or a time");
  auto* const version = as_of->add_option("--version", a.version, "so many events");
  as_of->add_option("--time", a.time, "2026-11-30T12:00:00Z")->excludes(version);
  CLI::App* const diff = command("diff", "tells what lies between two versions");
  diff->add_option("FROM", a.version, "a version")->required();
  diff->add_option("TO", a.other_version, "a later one")->required();
  program.add_subcommand("verify", "reads the whole journal, and says what is wrong with it");
  CLI::App* const run = program.add_subcommand("run", "carries out a script, a command a line");
  run->add_option("FILE", a.text, "of lines as `deposit acc-1 100.00 salary`")->required();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program("Bank accounts that are what has happened to them");
  Arguments arguments;
  describe(program, arguments);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return program.exit(e) == 0 ? 0 : 2;
  }
  try {
    carry_out(program, arguments);
    return 0;
  } catch (const std::exception& e) {  // Refusal, StoreFailed, StoreCorrupt
    std::cerr << "bank_account: " << e.what() << '\n';
    return 1;
  }
}
