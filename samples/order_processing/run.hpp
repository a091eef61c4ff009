// A whole run: from the input's lines to the summary.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include <troupe/runtime/system.hpp>

#include "common/progress_bar.hpp"
#include "coordinator.hpp"
#include "order_reader.hpp"

namespace orders {

struct Options {
  std::string orders;                ///< path, or "-"
  std::optional<std::string> stock;  ///< path
  Settings settings;
  troupe::remoting::Node* node = nullptr;  ///< where the settings name other nodes
  double decline_rate = 0;
  bool json = false;
  bool deterministic = false;  ///< on the seeded single-thread executor
  std::uint32_t workers = 0;
};

struct Summary {
  Statistics statistics;
  PaymentTotals payments;
  StockTotals stock;
  std::uint64_t malformed = 0;
  bool interrupted = false;
  bool coordinator_died = false;  ///< and most of the statistics with it
  /// Orders of the batches that were with it then, of whose outcomes nobody knows.
  std::vector<std::string> unknown;
  /// What does not add up; empty when everything does.
  std::vector<std::string> violations;
};

/// What of a run does not add up.
[[nodiscard]] std::vector<std::string> violations_of(const Summary& summary);
using samples::Progress;

/// Throws std::runtime_error when a file can't be read or the stock is malformed.
/// `progress` is called now and then while lines are read; `complain` with each bad line.
/// `early_end` outlives the System.
Summary run_orders(troupe::System& system, const Options& options, EarlyEnd& early_end,
                   const std::function<void(const Progress&)>& progress,
                   const std::function<void(const std::string&)>& complain);

void print_table(std::ostream& out, const Summary& summary);
void print_json(std::ostream& out, const Summary& summary);

}  // namespace orders
