// Structs and codecs that were generated from shop.capnp.
#include <troupe/codec/codec.hpp>

#include <unistd.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>

#include <catch2/catch.hpp>
#include <troupe/runtime/random.hpp>
#include <troupe/runtime/runtime.hpp>

#include "codec/shop.capnp.hpp"

using namespace shop;
using troupe::codec::CodecError;
using troupe::codec::decode;
using troupe::codec::encode;
using troupe::codec::Word;

namespace {

Order large_order() {
  Order o;
  o.id = "a-1";
  o.items = {{"pen", 3, {120, Currency::us_dollar}}, {"ink", 1, {999, Currency::euro}}, {}};
  o.is_gift = true;
  o.is_paid = false;
  o.note = "";
  o.payment.which = Order::Payment::Invoice{77, 14};
  o.steps = {Step::reserve_stock, Step::charge};
  o.children.resize(2);
  o.children[1].id = std::string(1000, 'x');
  o.children[1].payment.which = Order::Payment::Card{"4711"};
  o.address = {"Elm Street", 1428};
  o.step = Step::charge;
  o.currency = "";
  o.total = {123456789012345, Currency::us_dollar};
  o.delivery = {365, true};
  o.gift = Order::Address{};
  return o;
}

Lists full_lists() {
  Lists l;
  for (int i = 0; i < 67; ++i) l.bools.push_back(i % 3 == 0);
  l.bytes = {-128, 0, 127};
  l.shorts = {1, 65535};
  l.ints = {std::numeric_limits<std::int32_t>::min(), 7, -1};
  l.longs = {std::numeric_limits<std::uint64_t>::max()};
  l.floats = {1.5f, -0.0f};
  l.doubles = {1e300, std::numeric_limits<double>::infinity()};
  l.texts = {"", "seven77", "eight888", "nine99999"};
  l.datas = {{}, {std::byte{0}, std::byte{255}}};
  l.tables = {{}, {{"a"}, {}}, {{"b", "c"}}};
  l.empties.resize(1000);
  l.orders = {{}, {large_order()}};
  l.raw = {std::byte{1}, std::byte{2}};
  return l;
}

template <class M>
void check_round_trip(const M& message) {
  const std::vector<Word> words = encode(message);
  REQUIRE(words.size() == M::troupe_codec.words(&message));
  REQUIRE(decode<M>(words) == message);
}

/// What the stock tool makes of `input`.
std::string capnp(const std::string& verb, const std::string& type, const std::string& input) {
  std::string file = "/tmp/troupe-codec-XXXXXX";
  const int descriptor = mkstemp(file.data());
  REQUIRE(descriptor != -1);
  close(descriptor);
  std::ofstream{file, std::ios::binary} << input;
  const std::string command = std::string{CAPNP_EXECUTABLE} + " " + verb + " " + SCHEMA_IMPORT +
                              " " + SCHEMA + " " + type + " <" + file;
  std::string output;
  std::FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> buffer{};
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    output.append(buffer.data(), n);
  const int status = pclose(pipe);
  std::remove(file.c_str());
  REQUIRE(status == 0);
  return output;
}
std::string bytes_of(const std::vector<Word>& words) {
  return {reinterpret_cast<const char*>(words.data()), words.size() * sizeof(Word)};
}
std::vector<Word> words_of(const std::string& bytes) {
  std::vector<Word> words(bytes.size() / sizeof(Word));
  bytes.copy(reinterpret_cast<char*>(words.data()), words.size() * sizeof(Word));
  return words;
}

}  // namespace

TEST_CASE("what was encoded is decoded: every kind of field, full, empty and by default",
          "[codec]") {
  check_round_trip(Order{});
  check_round_trip(large_order());
  check_round_trip(Numbers{});
  check_round_trip(Numbers{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {}, true});
  check_round_trip(Lists{});
  check_round_trip(full_lists());
  check_round_trip(Empty{});
  check_round_trip(CountOrders{});
  for (const auto& which : {decltype(Receipt::which){Receipt::Ok{}},
                            {Receipt::Failed{"no"}},
                            {Receipt::Refunded{{5, Currency::us_dollar}}}})
    check_round_trip(Receipt{"a-1", which});
}

TEST_CASE("defaults, constants and reply types are those of the schema", "[codec]") {
  const Numbers n;
  REQUIRE(n.int8 == -8);
  REQUIRE(n.uint64 == std::numeric_limits<std::uint64_t>::max());
  REQUIRE(n.float64 == -2.25);
  REQUIRE(Order{}.currency == "EUR");
  REQUIRE(Order{}.step == Step::reserve_stock);
  REQUIRE(items_max == 100);
  REQUIRE(least == std::numeric_limits<std::int64_t>::min());
  REQUIRE(greeting == "say \"hello\"\n");
  REQUIRE(never == std::numeric_limits<float>::infinity());
  STATIC_REQUIRE(std::is_same_v<Order::Reply, Receipt>);
  STATIC_REQUIRE(std::is_void_v<Cancel::Reply>);
  STATIC_REQUIRE(std::is_same_v<CountOrders::Reply, std::uint64_t>);
  STATIC_REQUIRE(Order::troupe_schema != Receipt::troupe_schema);
}

TEST_CASE("the stock tool reads what the codec wrote, and the codec what the tool wrote",
          "[codec]") {
  const std::string text = capnp("decode", "Order", bytes_of(encode(large_order())));
  REQUIRE_THAT(text, Catch::Contains("invoice = (number = 77, days = 14)"));
  REQUIRE_THAT(text, Catch::Contains("steps = [reserveStock, charge]"));
  REQUIRE_THAT(text, Catch::Contains("price = (cents = 120, currency = usDollar)"));
  REQUIRE(decode<Order>(words_of(capnp("encode", "Order", text))) == large_order());
  const std::string lists = capnp("decode", "Lists", bytes_of(encode(full_lists())));
  REQUIRE(decode<Lists>(words_of(capnp("encode", "Lists", lists))) == full_lists());
  REQUIRE(
      capnp("decode --short", "Receipt", bytes_of(encode(Receipt{"a", Receipt::Failed{"no"}}))) ==
      "(order = \"a\", failed = \"no\")\n");
}

TEST_CASE("a message prints itself", "[codec]") {
  REQUIRE(to_string(Receipt{"a", Receipt::Refunded{{5, Currency::us_dollar}}}) ==
          "Receipt{.order = \"a\", .which = Money{.cents = 5, .currency = us_dollar}}");
  REQUIRE(to_string(static_cast<Step>(9)) == "9");
  REQUIRE_THAT(to_string(large_order()),
               Catch::Contains(".payment = {.which = Invoice{.number = 77, .days = 14}}"));
  REQUIRE_THAT(to_string(full_lists()), Catch::Contains(".datas = {0x, 0x00ff}"));
}

TEST_CASE("what was cut short, or has bits flipped, is a CodecError or another message",
          "[codec]") {
  const std::vector<Word> whole = encode(full_lists());
  for (std::size_t n = 0; n < whole.size(); ++n)
    REQUIRE_THROWS_AS(decode<Lists>(std::span{whole}.first(n)), CodecError);
  constexpr std::uint64_t seed = 2026;
  INFO("seed " << seed);
  troupe::Random random{seed};
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::vector<Word> words = whole;
    for (int flips = 0; flips < 3; ++flips)
      words[random.below(static_cast<std::uint32_t>(words.size()))] ^= Word{1} << random.below(64);
    try {
      const std::vector<Word> again = encode(decode<Lists>(words));
      REQUIRE(encode(decode<Lists>(again)) == again);  // the bits: it may have got a NaN
    } catch (const CodecError&) {
      ++refused;
    }
  }
  REQUIRE(refused > 1000);
}

TEST_CASE("an alternative of a newer schema is refused by name", "[codec]") {
  std::vector<Word> words = encode(Receipt{"a", Receipt::Failed{"no"}});
  words[2] = 7;  // the discriminant is the first of the struct's data
  REQUIRE_THROWS_WITH(decode<Receipt>(words), Catch::Contains("Receipt has no alternative 7"));
}

TEST_CASE("actors take generated messages, and refs name their protocol", "[codec]") {
  class Desk : public troupe::Actor<OrderDesk> {
   public:
    Receipt receive(const Order& m) { return {.order = m.id, .which = Receipt::Ok{}}; }
    void receive(const Cancel&) {}
    std::uint64_t receive(const CountOrders&) { return 1; }
  };
  troupe::System system;
  const troupe::Ref<OrderDesk> desk = system.spawn<Desk>();
  REQUIRE(desk.ask(Order{.id = "a-1"}).await().order == "a-1");
  desk.ask(Cancel{}).await();
  REQUIRE(desk.ask(CountOrders{}).await() == 1);
}

TEST_CASE("a shared struct is copied by nobody, and by value on the wire", "[codec]") {
  const troupe::codec::Shared<Order> order(large_order());
  const NextStep first{.order = order, .gift = std::nullopt};
  const NextStep second = first;
  REQUIRE(&*first.order == &*second.order);
  REQUIRE(second.order->id == "a-1");
  check_round_trip(first);
  check_round_trip(NextStep{});
  check_round_trip(NextStep{order, troupe::codec::Shared(Order::Address{"Elm Street", 1428})});
  REQUIRE(decode<NextStep>(encode(first)).order == order);  // by value
  REQUIRE(NextStep{}.order == troupe::codec::Shared(Order{}));
  REQUIRE(NextStep{}.order->currency == "EUR");
  REQUIRE(to_string(NextStep{.order = troupe::codec::Shared(Order{.id = "b"})})
              .starts_with("NextStep{.order = Order{.id = \"b\""));
}

TEST_CASE("a reply may be an enumeration", "[codec]") {
  STATIC_REQUIRE(std::is_same_v<NextStep::Reply, Step>);
  std::vector<Word> words(NextStep::troupe_reply_codec.words(nullptr));
  const Step step = Step::reserve_stock;
  NextStep::troupe_reply_codec.write(&step, words);
  Step read{};
  NextStep::troupe_reply_codec.read(&read, words, nullptr);
  REQUIRE(read == Step::reserve_stock);
}
