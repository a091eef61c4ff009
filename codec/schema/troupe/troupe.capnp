@0xc43c5857d7aa42f0;
# What Troupe's code generator reads in a schema: `using Troupe = import "/troupe/troupe.capnp";`

annotation namespace @0x92c2ded3aa43a7e0 (file) :Text;
# The C++ namespace of the file's types: $Troupe.namespace("shop::orders");

annotation reply @0xff4158de35cce80d (struct) :Text;
# The message is a request, and this is what it is answered with: a struct's name, or Void, Bool,
# Int8 to Int64, UInt8 to UInt64, Float32, Float64, Text or Data.

annotation protocol @0xbc636b2fb64d1bad (struct) :List(Text);
# The struct, which has no fields, stands for an actor that takes these messages.

annotation optional @0x9e49eabe41922159 (field) :Void;
# The field may be missing: a std::optional. For pointers: Text, Data, lists and structs.

annotation version @0xb9c0a51f3d7e6e42 (struct) :UInt32;
# An event, and what version of its meaning this is; without it, 1. What is stored with an older one goes through an upcaster first.

annotation shared @0xa6d1c5f7e2b94c37 (field) :Void;
# The field, a struct, is never changed once the message is made: a troupe::codec::Shared<T>, which copies of the message have in
# common. On the wire nothing differs.

struct Ref @0xd1b8b3f6a57c20e9 (Protocol) {
  # Names an actor that takes the messages of a protocol: `desk @3 :Troupe.Ref(OrderDesk)` is a troupe::Ref<OrderDesk>. It stays
  # valid outside of its process; one of zeros names nobody.
  node @0 :UInt64;
  # The incarnation of its node: another one after each start.
  actor @1 :UInt64;
  # Which of the node's actors.
  address @2 :Text;
  # Where the node is reached.
}
