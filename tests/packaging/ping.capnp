@0xe3a9b1d8c6f04a75;
using Troupe = import "/troupe/troupe.capnp";
$Troupe.namespace("app");

struct Ping $Troupe.reply("Pong") {
  number @0 :Int32;
}
struct Pong {
  number @0 :Int32;
}
