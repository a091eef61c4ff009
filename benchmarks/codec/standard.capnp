@0x9a0f3be4c7d81256;
# flat.capnp for Cap'n Proto's own generator.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("standard");

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
