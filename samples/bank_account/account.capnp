@0xa8d34f17c02be965;
# A bank account: its commands and its events. Amounts are whole cents.

using Troupe = import "/troupe/troupe.capnp";
$Troupe.namespace("bank_account");

struct Balance @0xc47e91d20ab56f38 {
  cents @0 :Int64;
  version @1 :UInt64;
  # How many events it comes of.
}

struct Open @0x95b2c8e31f7d40a6 $Troupe.reply("Balance") {
  cents @0 :Int64;
}
struct Deposit @0xe0a76d4b9c3182f5 $Troupe.reply("Balance") {
  cents @0 :Int64;
  source @1 :Text;
}
struct Withdraw @0x8c15f3ea6079d2b4 $Troupe.reply("Balance") {
  cents @0 :Int64;
  destination @1 :Text;
}
struct Close @0xbd69027fe4c8a513 $Troupe.reply("Balance") {
  reason @0 :Text;
}
struct GetBalance @0xf28d5b1c7e64093a $Troupe.reply("Balance") {
}

struct AccountCreated @0xa3e9407bd5f1c628 {
  initialCents @0 :Int64;
}
struct MoneyDeposited @0xd7b04c6e8291fa35 {
  cents @0 :Int64;
  source @1 :Text;
}
struct MoneyWithdrawn @0x9ef5a1d3706cb842 {
  cents @0 :Int64;
  destination @1 :Text;
}
struct AccountClosed @0xc6120fb89ad37e54 {
  reason @0 :Text;
}
