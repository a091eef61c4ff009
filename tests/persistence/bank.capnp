@0xb0f1d7c9a3e5482d;
# A bank account's commands and events.

using Troupe = import "/troupe/troupe.capnp";
$Troupe.namespace("bank");

struct Balance @0xd2a7e19c34b6f085 {
  cents @0 :Int64;
}

struct GetBalance @0x9d0b2f6c7e1a4835 $Troupe.reply("Balance") {
}

struct Deposit @0xa41c6e08d93f7b52 $Troupe.reply("Balance") {
  cents @0 :Int64;
  source @1 :Text;
}

struct Withdraw @0xc85d20f7b1e9643a $Troupe.reply("Balance") {
  cents @0 :Int64;
  destination @1 :Text;
}

struct Deposited @0xe6b8934fa02d17c5 {
  cents @0 :Int64;
  source @1 :Text;
}

struct Withdrawn @0x97f3a5c1680eb2d4 {
  cents @0 :Int64;
  destination @1 :Text;
}

struct Audited @0xf09e4d7b25c8a361 {
  # An event that the account's state does not list.
  by @0 :Text;
}

struct AccountSnapshot @0x8c1f5ea27d3b9046 {
  cents @0 :Int64;
  deposits @1 :UInt32;
}

struct Paid @0xb61e09d4f7c82a35 $Troupe.version(2) {
  # Version 1 counted whole units, version 2 counts cents.
  amount @0 :Int64;
}

struct PaidInDollars @0xd3f85a1c60b79e24 {
  # An event of an earlier release: stored no more.
  dollars @0 :Int64;
}

struct PaidInFloats @0x85c0e7a2f319d46b {
  # One of a release before that.
  dollars @0 :Float64;
}

struct PaidTwice @0xea94c3b7105f628d {
  # One that has become two.
  first @0 :Int64;
  second @1 :Int64;
}

struct Noted @0xa7d2f60c8e4b1953 {
  # One that means nothing any more.
  text @0 :Text;
}
