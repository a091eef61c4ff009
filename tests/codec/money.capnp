@0xf6d0a5a2a3d2a6c4;
using Troupe = import "/troupe/troupe.capnp";
$Troupe.namespace("shop");

enum Currency { euro @0; usDollar @1; }

struct Money {
  # An amount.
  cents @0 :Int64;
  currency @1 :Currency;
}
