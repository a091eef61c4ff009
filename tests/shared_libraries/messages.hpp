// Messages that two libraries know, each with its own copies of what the compiler makes of them.
#pragma once

#include <string>

#include <troupe/runtime/runtime.hpp>

namespace market {

struct Quote {
  int cents;
  std::string from;
};
struct GetQuote {
  std::string item;
  using Reply = Quote;
};
struct Note {
  int number;
};
struct Api : troupe::Protocol<GetQuote, Note> {};

}  // namespace market
