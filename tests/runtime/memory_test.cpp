// Memory that lies in slabs, where no leak checker looks: envelopes and ask slots.
#include "memory.hpp"

#include <thread>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "ask_slots.hpp"

namespace {

struct Note {
  int number;
};
struct Question {
  int number;
  using Reply = int;
};
class Clerk : public troupe::Actor<Note, Question> {
 public:
  void receive(const Note&) {}
  int receive(const Question& m) { return m.number; }
};

/// As many threads, one after the other, each of which tells and asks a little.
void visit(troupe::Ref<Clerk> clerk, int visitors) {
  for (int i = 0; i < visitors; ++i) {
    std::thread visitor{[&] {
      for (int n = 0; n < 10; ++n) clerk.tell(Note{n});
      REQUIRE(clerk.ask(Question{i}).await() == i);
    }};
    visitor.join();
  }
}

}  // namespace

TEST_CASE("threads from outside and workers give all blocks and ask slots back when they end",
          "[runtime]") {
  const std::uint64_t bytes = troupe::detail::block_bytes_in_use();
  const std::uint64_t slots = troupe::detail::ask_slots_in_use();
  {
    troupe::SystemOptions options;
    options.workers = 2;
    troupe::System system{std::move(options)};
    visit(system.spawn<Clerk>(), 100);
  }
  REQUIRE(troupe::detail::block_bytes_in_use() == bytes);
  REQUIRE(troupe::detail::ask_slots_in_use() == slots);
}
