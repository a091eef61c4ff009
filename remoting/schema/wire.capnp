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

struct Goodbye {
}

struct Reason {
  # Why an actor ended.
  kind @0 :UInt8;
  # As ExitReason::Kind counts them; one that is not known counts as a failure.
  text @1 :Text;
}

struct Watch {
  from @0 :UInt64;
  to @1 :UInt64;
  token @2 :UInt64;
  # The watcher's number for it; its Down says it.
  incarnations @3 :Bool;
  # A restart is to be told as well.
}

struct Unwatch {
  from @0 :UInt64;
  to @1 :UInt64;
  token @2 :UInt64;
}

struct Down {
  from @0 :UInt64;
  # The actor that was watched; 0 where it was not known.
  to @1 :UInt64;
  token @2 :UInt64;
  reason @3 :Reason;
  restarted @4 :Bool;
  # It lives: it is in its next incarnation, and still watched.
}

struct Link {
  # Also of a frame unlink.
  from @0 :UInt64;
  to @1 :UInt64;
  token @2 :UInt64;
  # The number that `from` gave the link.
  other @3 :UInt64;
  # unlink: the number that `to` gave it, or 0.
}

struct Exit {
  from @0 :UInt64;
  to @1 :UInt64;
  reason @2 :Reason;
  ofLink @3 :Bool;
  # It says that the other end of a link has ended.
}

enum StopWay {
  limit @0;
  # Its handlers may go on for that long.
  ownLimit @1;
  # As long as the actor's own options say.
  unlimited @2;
  behindMail @3;
  kill @4;
}

struct Stop {
  from @0 :UInt64;
  to @1 :UInt64;
  way @2 :StopWay;
  limit @3 :Int64;
  # Nanoseconds.
  reason @4 :Reason;
}

struct Resolve {
  request @0 :UInt64;
  path @1 :Text;
  schemas @2 :List(UInt64);
  # Of all messages that it is to take.
}

struct Resolved {
  actor @0 :UInt64;
}

struct Spawn {
  # Answered as a resolve.
  request @0 :UInt64;
  parent @1 :UInt64;
  # The child ends when this actor does, or the epoch.
  factory @2 :Text;
  id @3 :Text;
  # Of several of one parent with the same id the first is carried out, and answers all. Empty: none.
  schemas @4 :List(UInt64);
  # Of all messages that the child is to take.
  argumentsSchema @5 :UInt64;
  arguments @6 :Data;
  # Encoded, in words.
}

struct Failure {
  what @0 :Text;
}
