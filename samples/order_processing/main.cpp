// order_processing: the program. Exit codes: 0 all well, 1 something does not add up, 2 wrong use,
// 3 the coordinator died and orders' outcomes are unknown, 4 no node could be reached and orders
// ended as errors, 130 interrupted; of a node 128 + signal.
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>

#include <unistd.h>
#include <CLI/CLI.hpp>
#include <troupe/testkit/test_system.hpp>

#include "cluster.hpp"
#include "common/progress_bar.hpp"
#include "run.hpp"
#include "termination.hpp"

namespace {

using orders::EarlyEnd;

/// Outlives all Systems.
EarlyEnd& early_end() {
  static EarlyEnd end;
  return end;
}

void trap_interrupt() {
  early_end();  // is made here and not in the handler
  struct sigaction action {};
  action.sa_handler = [](int) { early_end().set(EarlyEnd::Why::interrupted); };
  sigaction(SIGINT, &action, nullptr);
}

orders::Summary run_on(troupe::System& system, const orders::Options& options) {
  samples::ProgressBar bar(stderr);
  const auto progress = [&bar](const orders::Progress& p) { bar.show(p); };
  const auto complain = [&bar](const std::string& what) {
    bar.clear();
    std::fprintf(stderr, "order_processing: %s\n", what.c_str());
  };
  return orders::run_orders(system, options, early_end(), progress, complain);
}

/// On threads; `cluster`: with processors on other nodes.
orders::Summary run_on_threads(orders::Options options, const orders::ClusterOptions* cluster) {
  orders::block_termination();
  troupe::SystemOptions system_options;
  // Crashes are injected by the thousand; the summary counts them.
  system_options.log = cluster != nullptr ? orders::warnings() : troupe::no_log();
  system_options.seed = options.settings.seed;
  // The reader's thread is busy too: it gets a core of its own where there are several.
  const unsigned cores = std::thread::hardware_concurrency();
  system_options.workers = options.workers != 0 ? options.workers : std::max(1u, cores - 1);
  troupe::System system{std::move(system_options)};
  std::optional<orders::ClusterNode> node;
  if (cluster != nullptr) options.node = &node.emplace(system, *cluster, false).node();
  const orders::OnTermination kill([&system] {
    early_end().set(EarlyEnd::Why::terminated);
    const auto coordinator = system.find<orders::CoordinatorApi>("/orders");
    if (coordinator) system.kill(*coordinator);
  });
  return run_on(system, options);
}

orders::Summary run_deterministic(const orders::Options& options) {
  troupe::SystemOptions system_options;
  system_options.log = troupe::no_log();
  system_options.seed = options.settings.seed;
  troupe::testkit::TestSystem system{options.settings.seed, troupe::testkit::Schedule::seeded,
                                     system_options};
  return run_on(system, options);
}

int report(const orders::Summary& summary, const orders::Options& options) {
  options.json ? print_json(std::cout, summary) : print_table(std::cout, summary);
  if (!summary.violations.empty()) return 1;
  if (summary.coordinator_died) return 3;
  if (summary.statistics.given_up > 0) return 4;
  return summary.interrupted ? 130 : 0;
}

void add_run_options(CLI::App& app, orders::Options& options) {
  app.add_option("--orders", options.orders,
                 "file of orders, one JSON object a line; - is standard input");
  app.add_option("--stock", options.stock,
                 "JSON object of products and units; without it everything is in stock");
  app.add_option("--processors", options.settings.processors, "number of processors")
      ->check(CLI::Range(1, 10000));
  app.add_option("--route", options.settings.route, "round-robin or least-loaded")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, orders::Route>{{"round-robin", orders::Route::round_robin},
                                               {"least-loaded", orders::Route::least_loaded}}));
  app.add_option("--decline-rate", options.decline_rate, "share of cards that are declined")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--crash-rate", options.settings.crash_rate,
                 "chance that a processor crashes at a step")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", options.settings.seed,
                 "of declined cards, crashes and the deterministic schedule");
  app.add_option("--workers", options.workers, "worker threads; 0: one less than cores");
  app.add_flag("--json", options.json, "print the summary as one JSON object");
}

std::string check_address(const std::string& address) {
  const std::size_t colon = std::min(address.rfind(':'), address.size());
  const std::string_view host = std::string_view(address).substr(0, colon);
  const std::string_view port =
      std::string_view(address).substr(std::min(colon + 1, address.size()));
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool is_port = error == std::errc{} && end == port.data() + port.size() && number > 0;
  const bool is_host =
      !host.empty() && host.size() <= 255 && host.find_first_of("/# \t") == host.npos;
  return is_host && is_port ? "" : "\"" + address + "\" is no host:port";
}

/// With certificates, the one that is made for it; else none that another has on this machine.
std::string default_name(const orders::ClusterOptions& options) {
  return options.tls.empty() ? "coordinator-" + std::to_string(getpid()) : "coordinator";
}

void add_cluster_options(CLI::App& app, orders::ClusterOptions& options) {
  app.add_option("--name", options.name,
                 "the node's, unique in the cluster; a coordinator has one of its own");
  app.add_option("--listen", options.listen, "host:port; port 0: any")->capture_default_str();
  app.add_option("--advertise", options.advertise, "what others dial, where that is not --listen");
  app.add_option("--cluster", options.cluster, "of all its nodes")->capture_default_str();
  app.add_option("--tls", options.tls, "folder of certificates, as `troupe cert` makes it");
  app.add_option("--key-file", options.key_file,
                 "instead of certificates, on one machine: a key that only its owner can read");
  app.add_option("--admin", options.admin, "socket for `troupe node`");
}

}  // namespace

int main(int argc, char** argv) {
  orders::Options options;
  orders::ClusterOptions cluster;
  double patience_seconds = 30;
  CLI::App app{"Processes orders from JSON lines with a supervised team of actors."};
  add_run_options(app, options);
  app.add_flag("--deterministic", options.deterministic,
               "one thread on virtual time: the same seed gives the same run");
  auto* node = app.add_subcommand("node", "makes processors for coordinators of its cluster");
  add_cluster_options(*node, cluster);
  auto* coordinator = app.add_subcommand("coordinator", "has its processors on other nodes");
  add_run_options(*coordinator, options);
  add_cluster_options(*coordinator, cluster);
  coordinator->add_option("--nodes", options.settings.nodes, "their addresses: host:port,...")
      ->delimiter(',')
      ->check(check_address)
      ->required();
  coordinator
      ->add_option("--patience", patience_seconds,
                   "seconds that orders wait where no node can be reached")
      ->check(CLI::Range(0.0, 1e6));
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
    if (!node->parsed() && options.orders.empty()) throw CLI::RequiredError("--orders");
    if (node->parsed() && cluster.name.empty()) throw CLI::RequiredError("--name");
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  try {
    if (node->parsed()) return orders::run_node(cluster);
    trap_interrupt();
    if (options.deterministic) return report(run_deterministic(options), options);
    if (coordinator->parsed() && cluster.name.empty()) cluster.name = default_name(cluster);
    options.settings.patience = std::chrono::duration_cast<troupe::Duration>(
        std::chrono::duration<double>(patience_seconds));
    return report(run_on_threads(options, coordinator->parsed() ? &cluster : nullptr), options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "order_processing: %s\n", e.what());
    return 2;
  }
}
