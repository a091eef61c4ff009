// The parts of the plugin that need no schema compiler.
#include <catch2/catch.hpp>

#include "names.hpp"
#include "source_line.hpp"

using namespace troupe::codec;

TEST_CASE("names of a schema become those of C++", "[codec]") {
  REQUIRE(snake_case("itemCount") == "item_count");
  REQUIRE(snake_case("HTTPServer") == "http_server");
  REQUIRE(snake_case("int8") == "int8");
  REQUIRE(snake_case("class") == "class_");
  REQUIRE(snake_case("usDollar2") == "us_dollar2");
  REQUIRE(upper_camel_case("reserveStock") == "ReserveStock");
  REQUIRE(quoted("a\"b\\\n\x01") == "\"a\\\"b\\\\\\n\\001\"");
}

TEST_CASE("a declaration is found in its schema", "[codec]") {
  const char* schema = R"(@0xc0b183d0eaf9a7c1;
# struct Order { id @0 :Text; }
const id :Text = "struct Order {";
struct Item { id @0 :Text; }
struct Order {
  items @1 :List(Item);
  payment :union {
    card @2 :Text;
    name @4 :Text;
  }
  struct Address {
    id @0 :Text;
  }
  id @0 :Text;
  name @3 :Text;
})";
  REQUIRE(find_line(schema, "Item") == 4);
  REQUIRE(find_line(schema, "Item.id") == 4);
  REQUIRE(find_line(schema, "Order") == 5);
  REQUIRE(find_line(schema, "Order.payment.card") == 8);
  REQUIRE(find_line(schema, "Order.Address.id") == 12);
  REQUIRE(find_line(schema, "Order.id") == 14);
  REQUIRE(find_line(schema, "Order.name") == 15);
  REQUIRE(find_line(schema, "Order.nothing") == 0);
  REQUIRE(find_line(schema, "") == 0);
  REQUIRE(find_line("const least", "greatest") == 0);  // cut short
}
