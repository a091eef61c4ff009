@0xd57a5f83fb5a1f6e;
# What Cap'n Proto's rules allow: fields and alternatives at the end, and a list of texts that became
# one of structs.
using Troupe = import "/troupe/troupe.capnp";
$Troupe.namespace("after");

struct Account @0xa1b2c3d4e5f60718 {
  id @0 :Text;
  cents @1 :Int64;
  owners @2 :List(Owner);
  kind :union {
    current @3 :Void;
    savings @4 :Float64;
    frozen @5 :Text;
  }
  limit @6 :Int64 = 500;
  note @7 :Text = "none";

  struct Owner {
    name @0 :Text;
    share @1 :UInt8 = 100;
  }
}
