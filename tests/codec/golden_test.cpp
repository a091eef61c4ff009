// The bytes of messages as they were first written: what is stored or on its way stays readable.
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include <catch2/catch.hpp>
#include <troupe/codec/codec.hpp>

#include "codec/shop.capnp.hpp"

using namespace shop;
using troupe::codec::Word;

namespace {

/// Words in hexadecimal, by the name of the message they are of.
std::map<std::string, std::vector<Word>> golden_messages() {
  std::map<std::string, std::vector<Word>> all;
  std::ifstream file{GOLDEN};
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream in{line};
    std::string name;
    in >> name >> std::hex;
    for (Word word = 0; in >> word;) all[name].push_back(word);
  }
  return all;
}

template <class M>
void check_golden(const std::string& name, const M& message) {
  static const auto all = golden_messages();
  const std::vector<Word> words = troupe::codec::encode(message);
  std::string text = name;
  for (const Word word : words) {
    char digits[20];
    std::snprintf(digits, sizeof digits, " %llx", static_cast<unsigned long long>(word));
    text += digits;
  }
  INFO(text);
  REQUIRE(all.count(name) == 1);
  REQUIRE(all.at(name) == words);
  REQUIRE(troupe::codec::decode<M>(all.at(name)) == message);
}

}  // namespace

TEST_CASE("messages have the bytes that they always had", "[codec]") {
  Order order{.id = "a-1", .items = {{"pen", 3, {120, Currency::us_dollar}}, {"ink", 1, {}}}};
  order.is_paid = false;
  order.note = "";
  order.payment.which = Order::Payment::Invoice{77, 14};
  order.steps = {Step::reserve_stock, Step::charge};
  order.delivery = {365, true};
  check_golden("order", order);
  check_golden("defaults", Order{});
  Receipt receipt{.order = "a-1"};
  receipt.which = Receipt::Refunded{{450, Currency::euro}};
  check_golden("receipt", receipt);
  check_golden("numbers", Numbers{.int8 = 1, .uint64 = 2, .float64 = 0.5, .class_ = true});
  Lists lists;
  lists.bools = {true, false, true};
  lists.bytes = {-1, 2};
  lists.texts = {"", "seven77"};
  lists.tables = {{{"a"}}};
  lists.empties.resize(2);
  check_golden("lists", lists);
  Assign assign{.order = "a-1"};
  assign.others.resize(1);
  check_golden("nobody", assign);
}
