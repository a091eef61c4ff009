@0xb4c1e7d2a9f36508;
# What goes between a coordinator and its processors, on whatever machine they are.
using Troupe = import "/troupe/troupe.capnp";
$Troupe.namespace("orders");

struct Item {
  product @0 :Text;
  quantity @1 :Int64;
}

struct Order {
  # Never changed once it is read, so that it can be handed out again.
  id @0 :Text;
  userId @1 :Text;
  items @2 :List(Item);
  total @3 :Int64;
  # In cents.
  timestamp @4 :Text;
}

enum Outcome {
  success @0;
  rejected @1;
  paymentFailed @2;
  outOfStock @3;
  error @4;
}

struct Process $Troupe.reply("Outcome") {
  order @0 :Order $Troupe.shared;
  attempt @1 :UInt32;
  # Counts how often the order was handed out.
}

struct Processing $Troupe.protocol(["Process"]) {}

# Steps of an order. Each has an effect once, however often it is asked for and by whom: its key is the order's id and the
# step ("o-17/charge"), never the processor or the attempt.

struct Charge $Troupe.reply("Bool") {
  # False: declined.
  order @0 :Order $Troupe.shared;
}
struct Refund $Troupe.reply("Void") {
  order @0 :Order $Troupe.shared;
}
struct Reserve $Troupe.reply("Bool") {
  # False: something is out of stock; nothing was taken.
  order @0 :Order $Troupe.shared;
}

struct Payments $Troupe.protocol(["Charge", "Refund"]) {}
struct Stockroom $Troupe.protocol(["Reserve"]) {}

struct ProcessorTerms {
  # What a processor is made of.
  payments @0 :Troupe.Ref(Payments);
  stockroom @1 :Troupe.Ref(Stockroom);
  crashRate @2 :Float64;
  seed @3 :UInt64;
}

struct PlaceProcessor {
  # What one on another node is made of.
  terms @0 :ProcessorTerms;
  number @1 :UInt32;
  coordinator @2 :Troupe.Ref(CrashReports);
}
struct Crashed {
  # It is restarted where it is.
  processor @0 :UInt32;
}
struct CrashReports $Troupe.protocol(["Crashed"]) {}
