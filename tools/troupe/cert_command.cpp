#include "cert_command.hpp"

#include <chrono>
#include <ctime>
#include <iostream>
#include <memory>
#include <string>

#include "certificates.hpp"

namespace troupe::tools {

namespace {

constexpr int days_max = 36'500;
/// Clocks of nodes may differ by so much.
constexpr std::chrono::hours backdated{1};

struct Arguments {
  std::string directory;
  std::string name;
  int days;
  explicit Arguments(int days_usual) : days(days_usual) {}
};

Validity for_days(int days) {
  const auto now = std::chrono::system_clock::from_time_t(std::time(nullptr));
  return {now - backdated, now + std::chrono::hours(24) * days};
}

int reported(const std::function<void()>& f) {
  try {
    f();
    return 0;
  } catch (const BadCertificates& e) {
    std::cerr << "troupe: " << e.what() << "\n";
    return 2;
  }
}

int init(const Arguments& a) {
  return reported([&] {
    Authority(a.name, for_days(a.days)).write(a.directory);
    std::cout << a.directory << "/authority.pem: goes to each node of cluster " << a.name << "\n"
              << a.directory << "/authority.key: whoever has it can make nodes; keep it off them\n";
  });
}

int issue(const Arguments& a) {
  return reported([&] {
    const Authority authority = Authority::read(a.directory);
    const NodeTerms terms{authority.cluster(), a.name, for_days(a.days)};
    write_credentials(authority.issue(terms), a.directory, a.name);
    const std::string file = a.directory + "/" + a.name;
    std::cout << file << ".pem and " << file << ".key: for troupe://" << authority.cluster() << "/"
              << a.name << ", " << a.days << " days\n";
  });
}

CLI::App* add(CLI::App& to, const char* name, const char* what, int (*f)(const Arguments&),
              const std::shared_ptr<Arguments>& arguments, std::function<int()>& run) {
  CLI::App* added = to.add_subcommand(name, what);
  added->callback([&run, f, arguments] { run = [f, arguments] { return f(*arguments); }; });
  added->add_option("DIRECTORY", arguments->directory, "where the files are")->required();
  added->add_option("--days", arguments->days, "how long it is valid")
      ->capture_default_str()
      ->check(CLI::Range(1, days_max));
  return added;
}

}  // namespace

void add_cert_command(CLI::App& app, std::function<int()>& run) {
  auto* cert = app.add_subcommand("cert", "certificates, by which nodes know each other");
  cert->require_subcommand(1);
  const auto of_init = std::make_shared<Arguments>(3650);
  add(*cert, "init", "makes the authority of a cluster", &init, of_init, run)
      ->add_option("--cluster", of_init->name, "the cluster's name")
      ->required();
  const auto of_issue = std::make_shared<Arguments>(365);
  add(*cert, "issue", "makes a node's certificate, or a newer one", &issue, of_issue, run)
      ->add_option("NODE", of_issue->name, "the node's name")
      ->required();
}

}  // namespace troupe::tools
