@0xb7d6a7c1e2f04835;

using Troupe = import "/troupe/troupe.capnp";
$Troupe.namespace("cluster_test");

struct Sum @0xc2c4f9e4b1a35d01 {
  value @0 :UInt64;
}

struct Add @0xd5a1b3c47e9f6a11 $Troupe.reply("Sum") {
  n @0 :UInt64;
}

struct Note @0xe7f7a1b2c3d4e511 {
  n @0 :UInt64;
}

struct Done @0xf1a2b3c4d5e6f711 $Troupe.reply("Void") {
}

struct Payload @0x9a8b7c6d5e4f3211 {
  bytes @0 :Data;
}

struct Unheard @0x8b7c6d5e4f3a2b11 $Troupe.reply("Sum") {
}

struct Notes $Troupe.protocol(["Note"]) {
}

struct Introduce @0xa9b8c7d6e5f4a311 {
  # Tell that one a note.
  to @0 :Troupe.Ref(Notes);
  n @1 :UInt64;
}

struct WhoAreYou @0xbac9d8e7f6a5b411 $Troupe.reply("IAm") {
}

struct IAm @0xcbdae9f8a7b6c511 {
  me @0 :Troupe.Ref(Notes);
}

struct Said @0xdcebfa0918273611 {
  from @0 :UInt64;
  n @1 :UInt64;
  load @2 :Data;
}

struct Question @0xedfc0b1a29384711 $Troupe.reply("Sum") {
  from @0 :UInt64;
  n @1 :UInt64;
}

struct End @0xfe0d1c2b3a495811 {
}

struct CountWords @0x9c8d7e6f5a4b3c11 $Troupe.reply("UInt16") {
  text @0 :Text;
}

struct Shout @0xa1b2c3d4e5f60711 $Troupe.reply("Text") {
  text @0 :Text;
}

struct IsEmpty @0xb2c3d4e5f6071811 $Troupe.reply("Bool") {
  text @0 :Text;
}

struct MakeCounter @0x8d0c1b2a39485711 {
  # The arguments of a factory.
  start @0 :UInt64;
  news @1 :Troupe.Ref(Notes);
  # Is told a note when the counter ends.
}

struct MakeNothing @0x8e1d2c3b4a596811 {
}

struct Spoil @0x8f2e3d4c5b6a7911 {
}

struct MakeTalker @0x90a1b2c3d4e5f611 {
  number @0 :UInt64;
}

struct Talks $Troupe.protocol(["Said", "Question", "End"]) {
}
