@0xa1c4d7e0f3b69285;
# What nodes say to each other besides messages: docs/wire-protocol.md.
using Troupe = import "/troupe/troupe.capnp";
$Troupe.namespace("troupe::remoting::wire");

struct Hello {
  # The first frame of both sides.
  versionLowest @0 :UInt16;
  versionHighest @1 :UInt16;
  cluster @2 :Text;
  node @3 :Text;
  incarnation @4 :UInt64;
  address @5 :Text;
  # Where the node is reached.
  meantNode @6 :Text;
  # The dialer's: whom it meant to reach. Empty: whoever is at the address.
  meantAddress @7 :Text;
  nonce @8 :Data;
  # 32 bytes from the operating system.
}

enum RefuseReason {
  version @0;
  wrongCluster @1;
  wrongNode @2;
  identity @3;
  proof @4;
  stale @5;
  duplicate @6;
  shuttingDown @7;
}

struct Refuse {
  # In place of hello or ready. The connection ends.
  reason @0 :RefuseReason;
}
