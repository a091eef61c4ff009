@0xb1fd7a91a4f2c1d3;
# new.capnp, as it was before.
using Troupe = import "/troupe/troupe.capnp";
$Troupe.namespace("before");

struct Account @0xa1b2c3d4e5f60718 {
  id @0 :Text;
  cents @1 :Int64;
  owners @2 :List(Text);
  kind :union {
    current @3 :Void;
    savings @4 :Float64;
  }
}
