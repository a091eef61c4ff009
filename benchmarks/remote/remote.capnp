@0xe3c4d5f60718293a;
#What the remote workloads send.
using Troupe = import "/troupe/troupe.capnp";
$Troupe.namespace("bench");

struct Item @0xa4b5c6d7e8f90111 {
  payload @0 : Data;
}

struct Ack @0xb5c6d7e8f9011211 {
  received @0 : UInt64;
}

struct Echo @0xd7e8f90112233411 $Troupe.reply("Item") {
  payload @0 : Data;
}

struct Collector $Troupe.protocol(["Response"]) {}

struct Request @0xe8f9011223344511 {
  sent @0 : UInt64;
  to @1 : Troupe.Ref(Collector);
  payload @2 : Data;
}

struct Response @0xf901122334455611 {
  sent @0 : UInt64;
  payload @1 : Data;
}

struct Server $Troupe.protocol([ "Item", "Echo", "Request" ]) {}
