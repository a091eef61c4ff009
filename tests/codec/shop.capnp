@0xc0b183d0eaf9a7c1;
# One of everything that a schema can say.
using Troupe = import "/troupe/troupe.capnp";
using import "money.capnp".Money;
$Troupe.namespace("shop");

const itemsMax :UInt32 = 100;
# How many items an order may have.
const least :Int64 = -9223372036854775808;
const greeting :Text = "say \"hello\"\n";
const half :Float64 = 0.5;
const never :Float32 = inf;

enum Step { charge @0; reserveStock @1; }

struct Order $Troupe.reply("Receipt") {
  # What a customer wants.
  id @0 :Text;
  # Unique.
  items @1 :List(Item);
  isGift @2 :Bool;
  isPaid @3 :Bool = true;
  note @4 :Text $Troupe.optional;
  payment :union {
    cash @5 :Void;
    card @6 :Text;
    invoice :group {
      number @7 :UInt64;
      days @8 :UInt16 = 30;
    }
  }
  steps @9 :List(Step);
  children @10 :List(Order);
  address @11 :Address;
  step @12 :Step = reserveStock;
  currency @13 :Text = "EUR";
  total @14 :Money;
  delivery :group {
    # When.
    day @15 :Int32 = -1;
    rush @16 :Bool;
  }
  gift @17 :Address $Troupe.optional;

  struct Address {
    street @0 :Text;
    zip @1 :UInt16;
  }
  struct Item {
    name @0 :Text;
    count @1 :UInt32 = 1;
    price @2 :Money;
  }
}

struct Receipt {
  order @0 :Text;
  union {
    ok @1 :Void;
    failed @2 :Text;
    refunded @3 :Money;
  }
}

struct Numbers {
  int8 @0 :Int8 = -8;
  int16 @1 :Int16 = -16;
  int32 @2 :Int32 = -32;
  int64 @3 :Int64 = -64;
  uint8 @4 :UInt8 = 8;
  uint16 @5 :UInt16 = 16;
  uint32 @6 :UInt32 = 32;
  uint64 @7 :UInt64 = 18446744073709551615;
  float32 @8 :Float32 = 1.5;
  float64 @9 :Float64 = -2.25;
  nothing @10 :Void;
  class @11 :Bool;
}

struct Lists {
  bools @0 :List(Bool);
  bytes @1 :List(Int8);
  shorts @2 :List(UInt16);
  ints @3 :List(Int32);
  longs @4 :List(UInt64);
  floats @5 :List(Float32);
  doubles @6 :List(Float64);
  texts @7 :List(Text);
  datas @8 :List(Data);
  tables @9 :List(List(List(Text)));
  empties @10 :List(Empty);
  orders @11 :List(List(Order));
  raw @12 :Data;
}

struct Empty {}

struct Cancel $Troupe.reply("Void") {
  order @0 :Text;
}
struct CountOrders $Troupe.reply("UInt64") {}

struct NextStep $Troupe.reply("Step") {
  # What is to be done for an order that many messages have in common.
  order @0 :Order $Troupe.shared;
  gift @1 :Order.Address $Troupe.shared $Troupe.optional;
}

struct OrderDesk $Troupe.protocol(["Order", "Cancel", "CountOrders"]) {
  # Takes orders.
}

struct Assign $Troupe.reply("Void") {
  # Says who serves an order: refs travel.
  order @0 :Text;
  desk @1 :Troupe.Ref(OrderDesk);
  others @2 :List(Troupe.Ref(OrderDesk));
  deputy @3 :Troupe.Ref(OrderDesk) $Troupe.optional;
  next :union {
    nobody @4 :Void;
    dispatcher @5 :Troupe.Ref(Dispatcher);
  }
}
struct Dispatcher $Troupe.protocol(["Assign"]) {}
