#include "run.hpp"

#include <algorithm>
#include <deque>
#include <fstream>
#include <iomanip>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace orders {

namespace {

constexpr std::size_t batch_orders = 256;
// The reader runs ahead of the processors by so much and no more.
constexpr std::size_t batches_under_way_max = 4;

Stock read_stock(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("can't read the stock file " + path);
  const auto json = nlohmann::json::parse(file, nullptr, false);
  if (!json.is_object())
    throw std::runtime_error("the stock file " + path +
                             " is not a JSON object of products and units");
  Stock stock;
  std::string bad;
  for (const auto& [product, units] : json.items()) {
    if (!units.is_number_unsigned() || units.get<std::uint64_t>() > 1'000'000'000'000) {
      bad.append("the stock file ").append(path).append(": the units of \"").append(product);
      throw std::runtime_error(bad.append("\" are no number of things"));
    }
    stock[product] = units.get<std::int64_t>();
  }
  return stock;
}

/// Reads lines into batches, and keeps a few of them with the coordinator.
class Feeder {
 public:
  Feeder(troupe::Ref<CoordinatorApi> coordinator,
         const std::function<void(const std::string&)>& complain)
      : coordinator_(coordinator), complain_(complain) {}

  void line(std::uint64_t number, std::string_view text, bool too_long) {
    std::string why;
    if (too_long) {
      why = "longer than " + std::to_string(LineReader::line_bytes_max) + " bytes";
    } else if (std::all_of(text.begin(), text.end(),
                           [](char c) { return c == ' ' || c == '\t'; })) {
      return;
    } else if (auto order = parse_order(text, why)) {
      if (ids_.insert(order->id)) {
        batch_.emplace_back(std::move(*order));
        if (batch_.size() == batch_orders) flush();
        return;
      }
      why = "duplicate order id \"" + order->id + "\"";
    }
    ++malformed;
    complain_("line " + std::to_string(number) + ": " + why);
  }
  void flush() {
    if (batch_.empty()) return;
    submitted += batch_.size();
    const auto orders = std::make_shared<const std::vector<OrderPtr>>(std::move(batch_));
    under_way_.push_back({orders, coordinator_.ask(Batch{orders}, troupe::no_timeout)});
    batch_ = {};
    batch_.reserve(batch_orders);
    if (under_way_.size() >= batches_under_way_max) finish_one();
  }
  /// What was read and not handed over, where nobody is there to take it, has not begun.
  void finish(bool is_coordinator_there) {
    if (is_coordinator_there && !has_lost_coordinator()) flush();
    while (!under_way_.empty()) finish_one();
  }
  [[nodiscard]] bool has_lost_coordinator() const { return !unknown.empty(); }

  std::uint64_t malformed = 0;
  std::uint64_t submitted = 0;
  std::vector<std::string> unknown;  ///< ids of the orders that went down with the coordinator

 private:
  struct UnderWay {
    std::shared_ptr<const std::vector<OrderPtr>> orders;
    troupe::Ask<void> done;
  };
  void finish_one() {
    UnderWay first = std::move(under_way_.front());
    under_way_.pop_front();
    if (first.done.try_await()) return;
    for (const OrderPtr& order : *first.orders) unknown.push_back(order->id);
  }
  troupe::Ref<CoordinatorApi> coordinator_;
  const std::function<void(const std::string&)>& complain_;
  IdSet ids_;
  std::vector<OrderPtr> batch_;
  std::deque<UnderWay> under_way_;
};

/// Their names in place of their addresses.
void name_nodes(Statistics& statistics, troupe::remoting::Node& node) {
  const auto status = node.status().try_await();
  if (!status) return;  // their addresses will do
  const auto& known = status->peers;
  for (ProcessorStatistics& p : statistics.processors) {
    const auto is_there = [&](const auto& peer) { return peer.address == p.node; };
    const auto found = std::find_if(known.begin(), known.end(), is_there);
    if (found != known.end() && !found->name.empty()) p.node = found->name;
  }
}

void feed_all(LineReader& reader, Feeder& feeder, const EarlyEnd& early_end,
              const std::function<void(const Progress&)>& progress) {
  std::string_view line;
  bool too_long = false;
  for (std::uint64_t number = 1;
       !feeder.has_lost_coordinator() && reader.next(line, too_long, early_end); ++number) {
    feeder.line(number, line, too_long);
    if (number % 1024 == 0) progress({number, reader.bytes_read(), reader.bytes_total()});
  }
  feeder.finish(!early_end.is_set() || early_end.why() == EarlyEnd::Why::interrupted);
}

/// Whoever waits for input hears of its end, whatever that came from.
class CoordinatorWatch : public troupe::Actor<> {
 public:
  CoordinatorWatch(troupe::Ref<CoordinatorApi> coordinator, EarlyEnd& early_end)
      : coordinator_(coordinator), early_end_(early_end) {}
  void on_start() override { monitor(coordinator_); }
  void receive(const troupe::Down&) { early_end_.set(EarlyEnd::Why::coordinator_ended); }

 private:
  troupe::Ref<CoordinatorApi> coordinator_;
  EarlyEnd& early_end_;
};

}  // namespace

std::vector<std::string> violations_of(const Summary& s) {
  if (s.coordinator_died) return {};  // the statistics are lost with it
  std::vector<std::string> violations;
  const auto check = [&](bool holds, const std::string& what) {
    if (!holds) violations.push_back(what);
  };
  std::uint64_t ended = 0;
  for (const std::uint64_t n : s.statistics.outcomes) ended += n;
  check(ended == s.statistics.submitted, "submitted orders and outcomes differ");
  check(s.payments.charged - s.payments.refunded == s.statistics.revenue,
        "charged - refunded is not the revenue");
  check(s.stock.taken == s.statistics.units_sold, "units taken from stock and units sold differ");
  check(!s.stock.is_limited || s.stock.at_start == s.stock.left + s.stock.taken,
        "stock is not conserved");
  return violations;
}

Summary run_orders(troupe::System& system, const Options& options, EarlyEnd& early_end,
                   const std::function<void(const Progress&)>& progress,
                   const std::function<void(const std::string&)>& complain) {
  LineReader reader(options.orders);
  troupe::Ref<InventoryApi> inventory =
      options.stock ? system.spawn<Inventory>({.name = "inventory"}, read_stock(*options.stock))
                    : system.spawn<Inventory>({.name = "inventory"});
  auto payments = system.spawn<PaymentGateway>({.name = "payments"}, options.decline_rate,
                                               options.settings.seed);
  auto coordinator = system.spawn<Coordinator>({.name = "orders"}, options.settings, payments,
                                               inventory, options.node);
  system.spawn<CoordinatorWatch>(coordinator, early_end);

  Summary summary;
  Feeder feeder(coordinator, complain);
  try {
    feed_all(reader, feeder, early_end, progress);
  } catch (...) {  // goes on; the coordinator uses the node, which ends with whoever made it
    system.stop(coordinator).await();
    throw;
  }
  // Whoever said so may not have found it, or not have come to that yet.
  if (early_end.why() == EarlyEnd::Why::terminated) system.kill(coordinator);
  summary.interrupted = early_end.why() == EarlyEnd::Why::interrupted;
  summary.malformed = feeder.malformed;
  summary.unknown = std::move(feeder.unknown);
  auto statistics = coordinator.ask(GetStatistics{}, troupe::no_timeout).try_await();
  summary.coordinator_died = !statistics;
  if (statistics) summary.statistics = std::move(*statistics);
  summary.statistics.submitted = feeder.submitted;
  if (options.node != nullptr) name_nodes(summary.statistics, *options.node);
  system.stop(coordinator).await();  // it uses the node, and its processors are to be gone
  summary.payments = payments.ask(GetPaymentTotals{}, troupe::no_timeout).await();
  summary.stock = inventory.ask(GetStockTotals{}, troupe::no_timeout).await();
  summary.violations = violations_of(summary);
  return summary;
}

void print_table(std::ostream& out, const Summary& s) {
  out << "processor      orders          revenue    restarts  node\n";
  for (std::size_t i = 0; i < s.statistics.processors.size(); ++i) {
    const ProcessorStatistics& p = s.statistics.processors[i];
    out << std::setw(9) << i << std::setw(12) << p.orders_processed << std::setw(17)
        << format_money(p.revenue) << std::setw(12) << p.restarts << "  " << p.node << '\n';
  }
  const auto row = [&](const std::string& name, const std::string& value) {
    out << std::left << std::setw(16) << name << std::right << std::setw(22) << value << '\n';
  };
  out << '\n';
  row("submitted", std::to_string(s.statistics.submitted));
  if (!s.coordinator_died) {
    for (std::size_t i = 0; i < outcome_count; ++i)
      row(to_string(static_cast<Outcome>(i)), std::to_string(s.statistics.outcomes[i]));
  } else {
    row("ended", std::to_string(s.statistics.submitted - s.unknown.size()));
    row("unknown", std::to_string(s.unknown.size()));
  }
  row("malformed", std::to_string(s.malformed));
  row("charged", format_money(s.payments.charged));
  row("refunded", format_money(s.payments.refunded));
  if (!s.coordinator_died) row("revenue", format_money(s.statistics.revenue));
  for (const std::string& id : s.unknown) out << "UNKNOWN: " << id << '\n';
  for (const std::string& violation : s.violations) out << "VIOLATED: " << violation << '\n';
}

void print_json(std::ostream& out, const Summary& s) {
  nlohmann::ordered_json json;
  json["processors"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < s.statistics.processors.size(); ++i) {
    const ProcessorStatistics& p = s.statistics.processors[i];
    json["processors"].push_back({{"processor_id", i},
                                  {"orders_processed", p.orders_processed},
                                  {"total_revenue", format_money(p.revenue)},
                                  {"restarts", p.restarts},
                                  {"node", p.node}});
  }
  json["submitted"] = s.statistics.submitted;
  if (!s.coordinator_died) {
    for (std::size_t i = 0; i < outcome_count; ++i)
      json[to_string(static_cast<Outcome>(i))] = s.statistics.outcomes[i];
  } else {
    json["ended"] = s.statistics.submitted - s.unknown.size();
    json["unknown"] = s.unknown;
  }
  json["malformed"] = s.malformed;
  json["charged"] = format_money(s.payments.charged);
  json["refunded"] = format_money(s.payments.refunded);
  if (!s.coordinator_died) json["revenue"] = format_money(s.statistics.revenue);
  if (!s.violations.empty()) json["violations"] = s.violations;
  out << json.dump() << '\n';
}

}  // namespace orders
