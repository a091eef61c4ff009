@0xe3a1f0c5d7b24986;

using Troupe = import "/troupe/troupe.capnp";
$Troupe.namespace("wire_test");

struct Ping @0x8f4c2c1d5a3b7e61 {
  n @0 :UInt32;
}

struct Load @0xb8e6d1c2a4f39571 {
  bytes @0 :Data;
}
