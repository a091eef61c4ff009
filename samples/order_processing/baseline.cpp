// A plain loop over the same file with the same rules and JSON parser: what the sample is measured
// against. Usage: order_baseline FILE [parse]   ("parse": parse the lines and do nothing else)
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <fcntl.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

using Json = nlohmann::json;

struct Item {
  std::string product;
  std::int64_t quantity = 0;
};
struct Order {
  std::string id, user, timestamp;
  std::vector<Item> items;
  std::int64_t total = 0;
};

static bool cents_of(std::string_view text, std::int64_t& cents) {
  bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  std::size_t point = std::min(text.find('.'), text.size());
  if (point == 0 || text.size() > point + 3 || point + 1 == text.size()) return false;
  cents = 0;
  for (std::size_t i = 0; i < point + 3; ++i) {
    if (i == point) continue;
    char c = i < text.size() ? text[i] : '0';
    if (c < '0' || c > '9') return false;
    if ((cents = cents * 10 + (c - '0')) > 100'000'000'000) return false;
  }
  if (negative) cents = -cents;
  return true;
}

class Events final : public nlohmann::json_sax<Json> {
 public:
  Order order;
  bool ok() const { return good_ && seen_ == 31 && !order.items.empty(); }
  bool key(std::string& name) override {
    static const char* names[] = {"order_id", "user_id", "items", "total", "timestamp"};
    if (depth_ == 1) {
      for (field_ = 0; field_ < 5 && name != names[field_]; ++field_) {
      }
      if (field_ < 5) seen_ |= 1u << field_;
    } else {
      field_ = name == "product" ? 10 : name == "qty" ? 11 : 12;
    }
    return true;
  }
  bool string(std::string& s) override {
    switch (field_) {
      case 0: order.id = std::move(s); return true;
      case 1: order.user = std::move(s); return true;
      case 3: return good_ = cents_of(s, order.total);
      case 4: order.timestamp = std::move(s); return true;
      case 10: order.items.back().product = std::move(s); return true;
      default: return good_ = field_ == 12 || field_ == 5;
    }
  }
  bool number_integer(std::int64_t n) override {
    if (field_ == 11) order.items.back().quantity = n;
    if (field_ == 3) return good_ = cents_of(std::to_string(n), order.total);
    return good_ = (field_ == 11 && n > 0) || field_ == 12 || field_ == 5;
  }
  bool number_unsigned(std::uint64_t n) override {
    return number_integer(static_cast<std::int64_t>(n));
  }
  bool number_float(double, const std::string& s) override {
    return good_ = field_ == 3 && cents_of(s, order.total);
  }
  bool boolean(bool) override { return good_ = false; }
  bool null() override { return good_ = false; }
  bool binary(Json::binary_t&) override { return good_ = false; }
  bool start_object(std::size_t) override {
    if (++depth_ == 3) order.items.emplace_back();
    return true;
  }
  bool end_object() override { return --depth_, true; }
  bool start_array(std::size_t) override { return ++depth_, good_ = field_ == 2; }
  bool end_array() override { return --depth_, true; }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) override {
    return good_ = false;
  }

 private:
  int depth_ = 0;
  int field_ = 5;
  unsigned seen_ = 0;
  bool good_ = true;
};

int main(int argc, char** argv) {
  int file = argc > 1 ? open(argv[1], O_RDONLY) : -1;
  if (file < 0) return 2;
  const bool parse_only = argc > 2 && std::strcmp(argv[2], "parse") == 0;
  std::unordered_set<std::string> seen;
  std::uint64_t success = 0, rejected = 0, malformed = 0, sum = 0;
  std::int64_t revenue = 0, taken = 0;
  std::vector<char> buffer(256 * 1024);
  std::size_t begin = 0, end = 0;
  for (;;) {
    auto* newline = static_cast<char*>(std::memchr(buffer.data() + begin, '\n', end - begin));
    if (newline == nullptr) {
      std::memmove(buffer.data(), buffer.data() + begin, end - begin);
      end -= begin;
      begin = 0;
      if (end == buffer.size()) buffer.resize(buffer.size() * 2);
      const ssize_t got = read(file, buffer.data() + end, buffer.size() - end);
      if (got <= 0) break;
      end += static_cast<std::size_t>(got);
      continue;
    }
    const char* line = buffer.data() + begin;
    begin = static_cast<std::size_t>(newline - buffer.data()) + 1;
    Events events;
    Json::sax_parse(line, static_cast<const char*>(newline), &events);
    if (parse_only) {
      sum += static_cast<std::uint64_t>(events.order.total);
    } else if (!events.ok() || !seen.insert(events.order.id).second) {
      ++malformed;
    } else if (events.order.total <= 0) {
      ++rejected;
    } else {  // every card is good and everything in stock, as in the measured run
      for (const Item& item : events.order.items) taken += item.quantity;
      revenue += events.order.total;
      ++success;
    }
  }
  std::printf(
      "{\"success\":%llu,\"rejected\":%llu,\"malformed\":%llu,\"revenue\":%lld,\"taken\":%lld,"
      "\"sum\":%llu}\n",
      static_cast<unsigned long long>(success), static_cast<unsigned long long>(rejected),
      static_cast<unsigned long long>(malformed), static_cast<long long>(revenue),
      static_cast<long long>(taken), static_cast<unsigned long long>(sum));
}
