// Makes files of orders. `make_orders COUNT [SEED]`: each of 99.99, as in the article. `make_orders
// COUNT SEED realistic`: varied orders, with about one bad line in fifty.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::uint64_t state = 1;
std::uint64_t draw(std::uint64_t bound) {  // SplitMix64
  std::uint64_t z = (state += 0x9E3779B97F4A7C15ull);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return (z ^ (z >> 31)) % bound;
}

void plain(std::uint64_t n) {
  std::printf(
      "{\"order_id\":\"order-%07llu\",\"user_id\":\"user-%llu\",\"items\":[{\"product\":\"widget\","
      "\"qty\":1}],"
      "\"total\":\"99.99\",\"timestamp\":\"2024-01-01T00:00:00Z\"}\n",
      static_cast<unsigned long long>(n), static_cast<unsigned long long>(n % 1000));
}

void realistic(std::uint64_t n) {
  static constexpr const char* products[] = {"widget", "gadget", "sprocket",
                                             "gizmo",  "flange", "grommet"};
  static constexpr const char* bad_lines[] = {
      "{\"order_id\":\"broken-json\",\"user_id\":",
      "{\"order_id\":\"no-total\",\"user_id\":\"user-1\",\"items\":[{\"product\":\"widget\","
      "\"qty\":1}],\"timestamp\":\"2024-01-01T00:00:00Z\"}",
      "{\"order_id\":\"fraction\",\"user_id\":\"user-2\",\"items\":[{\"product\":\"widget\","
      "\"qty\":1}],\"total\":\"9.999\",\"timestamp\":\"2024-01-01T00:00:00Z\"}",
      "{\"order_id\":\"half\",\"user_id\":\"user-3\",\"items\":[{\"product\":\"gizmo\",\"qty\":0.5}"
      "],\"total\":\"5.00\",\"timestamp\":\"2024-01-01T00:00:00Z\"}",
      "{\"order_id\":\"none\",\"user_id\":\"user-4\",\"items\":[{\"product\":\"gizmo\",\"qty\":0}],"
      "\"total\":\"5.00\",\"timestamp\":\"2024-01-01T00:00:00Z\"}",
      "[\"not\", \"an\", \"object\"]",
      ""};
  if (draw(50) == 0) {
    std::puts(bad_lines[draw(7)]);
    return;
  }
  const unsigned long long hour = n / 60 % 24;
  const unsigned long long id =
      draw(200) == 0 && n > 10 ? n - 7 : n;  // now and then an id comes twice
  std::printf("{\"order_id\":\"ord-2024-%06llu\",\"user_id\":\"user-%llu\",\"items\":[", id,
              static_cast<unsigned long long>(draw(400)));
  const std::uint64_t items = 1 + draw(3);
  std::uint64_t cents = 0;
  for (std::uint64_t i = 0; i < items; ++i) {
    const std::uint64_t product = draw(6);
    const std::uint64_t quantity = 1 + draw(4);
    cents += quantity * (499 + 750 * product);
    std::printf("%s{\"product\":\"%s\",\"qty\":%llu}", i > 0 ? "," : "", products[product],
                static_cast<unsigned long long>(quantity));
  }
  if (draw(60) == 0) cents = 0;
  const char* quote = draw(3) == 0 ? "" : "\"";
  std::printf("],\"total\":%s%llu.%02llu%s,\"timestamp\":\"2024-03-%02lluT%02llu:%02llu:00Z\"}\n",
              quote, static_cast<unsigned long long>(cents / 100),
              static_cast<unsigned long long>(cents % 100), quote,
              static_cast<unsigned long long>(1 + n / 1440 % 28), hour,
              static_cast<unsigned long long>(n % 60));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || std::atoll(argv[1]) <= 0) {
    std::fprintf(stderr, "usage: make_orders COUNT [SEED [realistic]]\n");
    return 2;
  }
  const auto count = static_cast<std::uint64_t>(std::atoll(argv[1]));
  if (argc > 2) state = static_cast<std::uint64_t>(std::atoll(argv[2]));
  const bool varied = argc > 3 && std::strcmp(argv[3], "realistic") == 0;
  for (std::uint64_t n = 0; n < count; ++n) varied ? realistic(n) : plain(n);
  return std::ferror(stdout) != 0 ? 1 : 0;
}
