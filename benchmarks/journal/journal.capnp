@0xa9d0c25be8f71436;
# What benchmarks of the journal store.

using Troupe = import "/troupe/troupe.capnp";
$Troupe.namespace("bench");

struct Happened @0xc4e27f19a05bd683 {
  payload @0 :Data;
}
