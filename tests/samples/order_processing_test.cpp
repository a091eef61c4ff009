// The order-processing sample: money, lines, whole runs.
#include "run.hpp"

#include <cstdio>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>
#include <troupe/testkit/testkit.hpp>

#include "support/schedules.hpp"

using orders::format_money;
using orders::parse_money;
using orders::parse_order;

namespace {

std::string why_not(const std::string& line) {
  std::string why;
  REQUIRE_FALSE(parse_order(line, why).has_value());
  return why;
}

/// A file that is gone with the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    char name[] = "/tmp/troupe-orders-XXXXXX";
    const int file = mkstemp(name);
    path_ = name;
    REQUIRE(write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    close(file);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::remove(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string plain_orders(int count) {
  std::ostringstream out;
  for (int i = 0; i < count; ++i) {
    out << R"({"order_id":"o)" << i
        << R"(","user_id":"u","items":[{"product":"widget","qty":2}],"total":"99.99","timestamp":"t"})"
        << '\n';
  }
  return out.str();
}

orders::Summary run(const orders::Options& options, troupe::testkit::Schedule schedule) {
  orders::EarlyEnd end;
  troupe::testkit::TestSystem system{options.settings.seed, schedule};
  return orders::run_orders(
      system, options, end, [](const orders::Progress&) {}, [](const std::string&) {});
}

}  // namespace

TEST_CASE("money is exact, and what is not money says why", "[samples]") {
  std::string why;
  REQUIRE(parse_money("99.99", why) == 9999);
  REQUIRE(parse_money("100", why) == 10000);
  REQUIRE(parse_money("0.1", why) == 10);
  REQUIRE(parse_money("-5.25", why) == -525);
  for (const char* bad : {"", "-", "1.", ".5", "1,5", "1e3", "abc", "1.2.3", " 1", "1.005", "1.500",
                          "99999999999999999999"}) {
    INFO(bad);
    REQUIRE_FALSE(parse_money(bad, why).has_value());
    REQUIRE_FALSE(why.empty());
  }
  for (const orders::Cents cents : {0, 5, 99, 100, 12345, -525})
    REQUIRE(parse_money(format_money(cents), why) == cents);
}

TEST_CASE("a well-formed order is read, its total as number or string", "[samples]") {
  std::string why;
  for (const char* total : {"99.99", "\"99.99\""}) {
    const auto order = parse_order(
        std::string(
            R"({"order_id":"o1","user_id":"u1","items":[{"product":"widget","qty":2},{"qty":1,"product":"gadget","note":[1,{"a":2}]}],"total":)") +
            total + R"(,"timestamp":"2024","extra":{"deep":[1,2]}})",
        why);
    INFO(why);
    REQUIRE(order.has_value());
    REQUIRE(order->total == 9999);
    REQUIRE(order->items.size() == 2);
    REQUIRE(order->items[1].product == "gadget");
  }
}

TEST_CASE("each malformed line is told by its reason", "[samples]") {
  const std::string rest = R"(,"user_id":"u","timestamp":"t")";
  const auto with = [&](const std::string& fields) {
    return "{\"order_id\":\"o\"" + rest + "," + fields + "}";
  };
  const std::string items = R"("items":[{"product":"w","qty":1}])";
  REQUIRE(why_not("nonsense").find("not JSON") == 0);
  REQUIRE(why_not("{\"order_id\":").find("not JSON") == 0);
  REQUIRE(why_not("[1]") == "the line is not a JSON object");
  REQUIRE(why_not("7") == "the line is not a JSON object");
  REQUIRE(why_not(with(items)) == "field \"total\" is missing");
  REQUIRE(why_not(with("\"total\":1")) == "field \"items\" is missing");
  REQUIRE(why_not(with("\"total\":1,\"items\":[]")) == "field \"items\" is empty");
  REQUIRE(why_not(with("\"total\":1,\"items\":\"x\"")) == "field \"items\" is not a list");
  REQUIRE(why_not(with("\"total\":1,\"items\":[5]")) == "an item is not an object");
  REQUIRE(why_not(with("\"total\":1,\"items\":[{\"product\":\"w\",\"qty\":1},[5]]")) ==
          "an item is not an object");
  REQUIRE(why_not(with("\"total\":1,\"total\":2," + items)) == "field \"total\" is there twice");
  REQUIRE(why_not(with("\"total\":1," + items + "," + items)) == "field \"items\" is there twice");
  REQUIRE(why_not(with("\"total\":\"1000000000.01\"," + items)).find("out of range") !=
          std::string::npos);
  REQUIRE(why_not(with("\"total\":1.005," + items)).find("more than two decimals") !=
          std::string::npos);
  REQUIRE(why_not(with("\"total\":true," + items)).find("\"total\" is not") != std::string::npos);
  REQUIRE(why_not(with("\"total\":1e3," + items)).find("not a plain decimal") != std::string::npos);
  for (const char* quantity : {"0", "-1", "1.5", "\"1\"", "null", "99999999999"}) {
    INFO(quantity);
    REQUIRE(why_not(with(std::string("\"total\":1,\"items\":[{\"product\":\"w\",\"qty\":") +
                         quantity + "}]"))
                .size() > 5);
  }
  REQUIRE(
      why_not(
          R"({"order_id":7,"user_id":"u","items":[{"product":"w","qty":1}],"total":1,"timestamp":"t"})") ==
      "field \"order_id\" is not a string");
}

TEST_CASE("1,000 orders of 99.99 over 4 processors: 250 each, revenue 99990.00", "[samples]") {
  const TemporaryFile file(plain_orders(1000));
  for (const auto schedule :
       {troupe::testkit::Schedule::seeded, troupe::testkit::Schedule::threads}) {
    const auto summary = run({.orders = file.path(), .stock = {}, .settings = {}}, schedule);
    REQUIRE(summary.violations.empty());
    REQUIRE(summary.statistics.outcomes[0] == 1000);
    for (const auto& p : summary.statistics.processors) REQUIRE(p.orders_processed == 250);
    REQUIRE(summary.statistics.revenue == 9999000);
  }
}

TEST_CASE(
    "with crashes and declined cards, every seed: each order ends once, the books are right, "
    "nobody gives up",
    "[samples]") {
  const TemporaryFile file(plain_orders(1000));
  const std::uint64_t seeds = troupe::test::from_environment("TROUPE_SEEDS", 20);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    INFO("seed " << seed);
    const orders::Options options{.orders = file.path(),
                                  .stock = {},
                                  .settings = {.crash_rate = 0.05, .seed = seed},
                                  .decline_rate = 0.1};
    const auto summary = run(options, troupe::testkit::Schedule::seeded);
    REQUIRE(summary.violations.empty());
    REQUIRE(summary.statistics.submitted == 1000);
    REQUIRE(summary.statistics.outcomes[4] == 0);
    REQUIRE(summary.statistics.outcomes[2] > 50);
    std::uint64_t restarts = 0;
    for (const auto& p : summary.statistics.processors) restarts += p.restarts;
    REQUIRE(restarts > 50);
    std::ostringstream once, again;
    orders::print_json(once, summary);
    orders::print_json(again, run(options, troupe::testkit::Schedule::seeded));
    REQUIRE(once.str() == again.str());
    const auto on_threads = run(options, troupe::testkit::Schedule::threads);
    REQUIRE(on_threads.violations.empty());
    REQUIRE(on_threads.statistics.submitted == 1000);
    REQUIRE(on_threads.statistics.outcomes[4] == 0);
    restarts = 0;
    for (const auto& p : on_threads.statistics.processors) restarts += p.restarts;
    REQUIRE(restarts > 0);
  }
}

TEST_CASE("scarce stock: what can't be had is refunded, and stock is conserved", "[samples]") {
  const TemporaryFile file(plain_orders(100));
  const TemporaryFile stock("{\"widget\": 51}");
  for (const auto route : {orders::Route::round_robin, orders::Route::least_loaded}) {
    const auto summary = run({.orders = file.path(),
                              .stock = stock.path(),
                              .settings = {.route = route, .crash_rate = 0.1}},
                             troupe::testkit::Schedule::seeded);
    REQUIRE(summary.violations.empty());
    REQUIRE(summary.statistics.outcomes[0] == 25);
    REQUIRE(summary.statistics.outcomes[3] == 75);
    REQUIRE(summary.payments.refunded == 75 * 9999);
    REQUIRE(summary.stock.left == 1);
  }
}

TEST_CASE(
    "a processor that always crashes: orders end as errors after 10 attempts, and nothing stays "
    "charged",
    "[samples]") {
  const TemporaryFile file(plain_orders(20));
  const auto summary = run({.orders = file.path(), .stock = {}, .settings = {.crash_rate = 1.0}},
                           troupe::testkit::Schedule::seeded);
  REQUIRE(summary.violations.empty());
  REQUIRE(summary.statistics.outcomes[4] == 20);
}

TEST_CASE("bad lines, duplicates and empty lines: reported by number, counted, never the end",
          "[samples]") {
  const TemporaryFile file(
      plain_orders(3) + "\nbroken\n" + plain_orders(1) + std::string(2 << 20, 'x') + "\n" +
      R"({"order_id":"z","user_id":"u","items":[{"product":"w","qty":1}],"total":0,"timestamp":"t"})");
  std::vector<std::string> complaints;
  orders::EarlyEnd end;
  troupe::testkit::TestSystem system{1};
  const auto summary = orders::run_orders(
      system, {.orders = file.path(), .stock = {}, .settings = {}}, end,
      [](const orders::Progress&) {}, [&](const std::string& c) { complaints.push_back(c); });
  REQUIRE(summary.statistics.submitted == 4);
  REQUIRE(summary.statistics.outcomes[1] == 1);  // a total of zero is well-formed, and rejected
  REQUIRE(summary.malformed == 3);
  REQUIRE(complaints.size() == 3);
  REQUIRE(complaints[0].find("line 5: not JSON") == 0);
  REQUIRE(complaints[1] == "line 6: duplicate order id \"o0\"");
  REQUIRE(complaints[2].find("line 7: longer than") == 0);
}

TEST_CASE("progress is a bar where the input's size is known, and what was read where it is not",
          "[samples]") {
  REQUIRE(samples::progress_line({0, 0, 1000}) == "[" + std::string(40, '.') + "]   0 %");
  REQUIRE(samples::progress_line({5, 505, 1000}) ==
          "[" + std::string(20, '#') + std::string(20, '.') + "]  50 %");
  REQUIRE(samples::progress_line({9, 1200, 1000}) == "[" + std::string(40, '#') + "] 100 %");
  REQUIRE(samples::progress_line({40000, 999, std::nullopt}) == "32768 lines read");

  const TemporaryFile file(plain_orders(3000));
  std::vector<orders::Progress> seen;
  orders::EarlyEnd end;
  troupe::testkit::TestSystem system{1};
  static_cast<void>(orders::run_orders(
      system, {.orders = file.path(), .stock = {}, .settings = {}}, end,
      [&](const orders::Progress& p) { seen.push_back(p); }, [](const std::string&) {}));
  REQUIRE(seen.size() == 2);
  REQUIRE(seen[0].lines == 1024);
  REQUIRE(seen[0].bytes_total == plain_orders(3000).size());
  REQUIRE(seen[1].bytes == plain_orders(2048).size());
}

TEST_CASE("what can't be read is an error that names the file", "[samples]") {
  REQUIRE_THROWS_WITH(run({.orders = "/no/such/file", .stock = {}, .settings = {}},
                          troupe::testkit::Schedule::seeded),
                      Catch::Contains("/no/such/file"));
  REQUIRE_THROWS_WITH(
      run({.orders = "/tmp", .stock = {}, .settings = {}}, troupe::testkit::Schedule::seeded),
      Catch::Contains("/tmp"));
  const TemporaryFile file(plain_orders(1));
  const TemporaryFile bad("{\"widget\": -1}");
  REQUIRE_THROWS_WITH(run({.orders = file.path(), .stock = bad.path(), .settings = {}},
                          troupe::testkit::Schedule::seeded),
                      Catch::Contains("widget"));
}

TEST_CASE("the id set remembers every id and takes none for another", "[samples]") {
  orders::IdSet ids;
  for (int i = 0; i < 100000; ++i) REQUIRE(ids.insert("order-" + std::to_string(i)));
  for (int i = 0; i < 100000; i += 7) REQUIRE_FALSE(ids.insert("order-" + std::to_string(i)));
  REQUIRE(ids.size() == 100000);
}

TEST_CASE("a step that comes after it was taken back is not done", "[samples]") {
  troupe::testkit::TestSystem system{1};
  const orders::OrderPtr order(
      orders::Order{.id = "o", .user_id = {}, .items = {{"w", 2}}, .total = 100, .timestamp = {}});
  auto payments = system.spawn<orders::PaymentGateway>(0.0, 1);
  payments.ask(orders::Refund{order}).await();
  REQUIRE_FALSE(payments.ask(orders::Charge{order}).await());
  REQUIRE(payments.ask(orders::GetPaymentTotals{}).await().charged == 0);
  auto inventory = system.spawn<orders::Inventory>(orders::Stock{{"w", 5}});
  inventory.ask(orders::PutBack{order}).await();
  REQUIRE_FALSE(inventory.ask(orders::Reserve{order}).await());
  REQUIRE(inventory.ask(orders::GetStockTotals{}).await().left == 5);
}

TEST_CASE("a coordinator that dies: the run ends, and says which orders nobody knows of",
          "[samples]") {
  const TemporaryFile file(plain_orders(5000));
  orders::EarlyEnd end;
  troupe::testkit::TestSystem system{1};
  const auto kill = [&system](const orders::Progress& p) {
    if (p.lines == 2048) system.kill(*system.find<orders::CoordinatorApi>("/orders"));
  };
  const auto summary =
      orders::run_orders(system, {.orders = file.path(), .stock = {}, .settings = {}}, end, kill,
                         [](const std::string&) {});
  REQUIRE(summary.statistics.submitted < 5000);
  REQUIRE(summary.unknown.size() >= 256);
  REQUIRE(summary.unknown.size() <= 4 * 256);
  REQUIRE(summary.unknown.back() == "o" + std::to_string(summary.statistics.submitted - 1));
  std::ostringstream json;
  orders::print_json(json, summary);
  REQUIRE(json.str().find("\"unknown\":[\"o") != std::string::npos);
  REQUIRE(json.str().find("\"success\"") == std::string::npos);
}
