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
