// order_processing: the program. Exit codes: 0 all well, 1 something does not add up, 2 wrong use,
// 130 interrupted.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <troupe/testkit/test_system.hpp>

#include "progress_bar.hpp"
#include "run.hpp"

namespace {

std::atomic<bool> stop{false};
void on_interrupt(int) {
  stop = true;
}

void trap_interrupt() {
  struct sigaction action {};
  action.sa_handler = &on_interrupt;  // without SA_RESTART, so that a read that waits comes back
  sigaction(SIGINT, &action, nullptr);
}

orders::Summary run(const orders::Options& options) {
  orders::ProgressBar bar(stderr);
  const auto progress = [&bar](const orders::Progress& p) { bar.show(p); };
  const auto complain = [&bar](const std::string& what) {
    bar.clear();
    std::fprintf(stderr, "order_processing: %s\n", what.c_str());
  };
  troupe::SystemOptions system_options;
  // Crashes are injected by the thousand; the summary counts them.
  system_options.log = troupe::no_log();
  system_options.seed = options.settings.seed;
  if (options.deterministic) {
    troupe::testkit::TestSystem system{options.settings.seed, troupe::testkit::Schedule::seeded,
                                       system_options};
    return orders::run_orders(system, options, stop, progress, complain);
  }
  // The reader's thread is busy too: it gets a core of its own where there are several.
  const unsigned cores = std::thread::hardware_concurrency();
  system_options.workers = options.workers != 0 ? options.workers : std::max(1u, cores - 1);
  troupe::System system{std::move(system_options)};
  return orders::run_orders(system, options, stop, progress, complain);
}

}  // namespace

int main(int argc, char** argv) {
  orders::Options options;
  CLI::App app{"Processes orders from JSON lines with a supervised team of actors."};
  app.add_option("--orders", options.orders,
                 "file of orders, one JSON object a line; - is standard input")
      ->required();
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
  app.add_flag("--deterministic", options.deterministic,
               "one thread on virtual time: the same seed gives the same run");
  app.add_flag("--json", options.json, "print the summary as one JSON object");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  trap_interrupt();
  try {
    const orders::Summary summary = run(options);
    options.json ? print_json(std::cout, summary) : print_table(std::cout, summary);
    if (!summary.violations.empty()) return 1;
    return summary.interrupted ? 130 : 0;
  } catch (const std::runtime_error& e) {
    std::fprintf(stderr, "order_processing: %s\n", e.what());
    return 2;
  }
}
