// A consumer whose messages come from a schema.
#include "ping.capnp.hpp"

int main() {
  return troupe::codec::decode<app::Ping>(troupe::codec::encode(app::Ping{42})).number == 42 ? 0
                                                                                             : 1;
}
