// Memory that lies in slabs, where no leak checker looks: envelopes and ask slots.
#include "memory.hpp"

#include <cstdint>
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

template <std::size_t Align>
struct alignas(Align) Aligned {
  char bytes[Align];
};
/// Counts the messages that lie where their type must not.
class Surveyor : public troupe::Actor<Note, Aligned<16>, Aligned<32>, Aligned<64>, Question> {
 public:
  void receive(const Note& m) { survey(m); }
  void receive(const Aligned<16>& m) { survey(m); }
  void receive(const Aligned<32>& m) { survey(m); }
  void receive(const Aligned<64>& m) { survey(m); }
  int receive(const Question&) { return wrong_; }

 private:
  template <class M>
  void survey(const M& m) {
    if (reinterpret_cast<std::uintptr_t>(&m) % alignof(M) != 0) ++wrong_;
  }
  int wrong_ = 0;
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

/// Tells when its thread is ending and has given its blocks back already.
struct Farewell {
  troupe::Ref<Clerk> clerk;
  ~Farewell() { clerk.tell(Note{0}); }
};
void leave_with_farewell(troupe::Ref<Clerk> clerk) {
  std::thread visitor{[&] {
    thread_local Farewell farewell;  // made before what the first send makes, so destroyed after it
    farewell.clerk = clerk;
    clerk.tell(Note{1});
  }};
  visitor.join();
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
    auto clerk = system.spawn<Clerk>();
    visit(clerk, 100);
    for (int i = 0; i < 20; ++i) leave_with_farewell(clerk);
    for (int n = 0; n < 1000; ++n) clerk.tell_after(std::chrono::microseconds{1}, Note{n});
    REQUIRE(clerk.ask(Question{7}).await() == 7);
  }
  REQUIRE(troupe::detail::block_bytes_in_use() == bytes);
  REQUIRE(troupe::detail::ask_slots_in_use() == slots);
}

TEST_CASE("a message lies where its type may", "[runtime]") {
  troupe::System system;
  auto surveyor = system.spawn<Surveyor>();
  for (int i = 0; i < 200; ++i) {  // more than a batch of blocks of each size
    surveyor.tell(Note{i});
    surveyor.tell(Aligned<16>{});
    surveyor.tell(Aligned<32>{});
    surveyor.tell(Aligned<64>{});
  }
  REQUIRE(surveyor.ask(Question{}).await() == 0);
}
