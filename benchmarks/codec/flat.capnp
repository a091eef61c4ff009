@0xd1b2c3d4e5f60719;
# 144 bytes: numbers, two texts and a list.
using Troupe = import "/troupe/troupe.capnp";
$Troupe.namespace("bench");

struct Flat {
  id @0 :UInt64;
  kind @1 :UInt32;
  price @2 :Float64;
  count @3 :UInt32;
  isGift @4 :Bool;
  name @5 :Text;
  note @6 :Text;
  codes @7 :List(UInt32);
}
