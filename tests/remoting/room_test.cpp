// S90: send(m, timeout) to an actor of another node waits until there is room for m.
#include "stuck.hpp"

using namespace stuck_test;
using troupe::AskErrorKind;

namespace {

struct Send {
  std::size_t many;
};
/// Sends payloads one after the other, each when the last one had room.
class Sender : public Actor<Send> {
 public:
  Sender(Ref<Slow> to, std::size_t& sent) : to_(to), sent_(sent) {}
  troupe::Task<void> receive(const Send& m) {
    for (std::size_t n = 0; n < m.many; ++n) {
      const Payload payload{std::vector<std::byte>(1'000 + n)};
      co_await to_.send(payload, 1h);
      ++sent_;
    }
  }

 private:
  Ref<Slow> to_;
  std::size_t& sent_;  // the test's
};

constexpr std::size_t waiting_max = 64;  // of all; an eighth is for a pair without credit

struct World : Stuck {
  static troupe::remoting::NodeOptions small() {
    auto o = Cluster::options("a");
    o.waiting_messages_max = waiting_max;
    return o;
  }
  explicit World(Cluster& c) : Stuck(c, small()) {}
  /// Until the pair has no credit, and what may wait for that does.
  void fill() {
    for (int i = 0; i < 10; ++i) send(waiting_max / 2);
    REQUIRE(send(waiting_max / 2) == 0);
  }
  std::size_t dropped() { return a.recorder->count("dead_letter"); }
};

}  // namespace

TEST_CASE("S90 who sends and waits for room is held up by an actor that takes nothing, and goes on",
          "[remoting]") {
  on_clusters([](Cluster& c) {
    World w{c};
    std::size_t sent = 0;
    w.a.system.spawn<Sender>(w.there, sent).tell(Send{600});
    c.advance(10s);
    REQUIRE(sent > 200);  // the pair's credit
    REQUIRE(sent < 300);
    REQUIRE(w.resolve("other").send(Payload{}).try_await());  // nobody else waits
    w.gate.tell(Note{});
    c.advance(10s);
    REQUIRE(sent == 600);
    REQUIRE(w.taken->size() == 601);
    REQUIRE(w.dropped() == 0);
  });
}

TEST_CASE("S90 actors that take nothing hold up nobody who waits for room of another",
          "[remoting]") {
  on_clusters([](Cluster& c) {
    World w{c};
    for (const char* name : {"stuck-1", "stuck-2", "stuck-3", "stuck-4"}) {
      const auto stuck = w.b.system.spawn<Slow>({.name = name}, w.gate, w.taken);
      stuck.tell(Note{});
      const auto there = w.resolve(name);
      for (int i = 0; i < 12; ++i) {
        for (std::size_t n = 0; n < waiting_max / 2; ++n)
          static_cast<void>(there.tell(Payload{std::vector<std::byte>(1'000)}));
        c.advance(1s);
      }
    }
    const auto other = w.resolve("other");
    for (int i = 0; i < 500; ++i)
      REQUIRE(other.send(Payload{std::vector<std::byte>(1'000)}).try_await().has_value());
  });
}

TEST_CASE("S90 who sends one message of many has room to tell the others", "[remoting]") {
  on_clusters([](Cluster& c) {
    Stuck s{c};
    s.gate.tell(Note{});
    std::size_t refused = 0;
    for (std::size_t n = 1; n <= 10'000; ++n) {
      const Payload payload{std::vector<std::byte>(n % 300)};
      if (n % 128 == 0) {
        s.there.send(payload, 1h).await();
      } else if (s.there.tell(payload) != Sent::ok) {
        ++refused;
      }
    }
    REQUIRE(refused == 0);
    c.advance(10s);
    REQUIRE(s.taken->size() == 10'000);
  });
}

TEST_CASE("S90 a send that waits too long is a dead letter, and is not sent afterwards",
          "[remoting]") {
  on_clusters([](Cluster& c) {
    World w{c};
    w.fill();
    const std::size_t before = w.dropped();
    auto late = w.there.send(Payload{std::vector<std::byte>(7)}, 3s);
    REQUIRE(late.try_await().error().kind == AskErrorKind::timeout);
    c.advance(10s);
    REQUIRE(w.dropped() == before + 1);
    w.gate.tell(Note{});
    c.advance(10s);
    for (const std::size_t size : *w.taken) REQUIRE(size != 7);
  });
}

TEST_CASE("S90 nothing overtakes what waits for room", "[remoting]") {
  on_clusters([](Cluster& c) {
    World w{c};
    while (Stuck::peer(w.a).waiting_bytes < 5'000) REQUIRE(w.send(1) == 1);
    auto first = w.there.send(Payload{std::vector<std::byte>(1)}, 1h);
    auto second = w.there.send(Payload{std::vector<std::byte>(2)}, 1h);
    REQUIRE(w.there.tell(Payload{std::vector<std::byte>(3)}) == Sent::full);  // it would have room
    w.gate.tell(Note{});
    first.await();
    second.await();
    REQUIRE(w.there.tell(Payload{std::vector<std::byte>(4)}) == Sent::ok);
    c.advance(10s);
    const auto& taken = *w.taken;
    REQUIRE(taken.size() > 3);
    REQUIRE(std::vector(taken.end() - 3, taken.end()) == std::vector<std::size_t>{1, 2, 4});
  });
}

TEST_CASE("S90 a send that gave up keeps nobody from telling, and no memory", "[remoting]") {
  on_clusters([](Cluster& c) {
    World w{c};
    w.fill();
    const std::size_t before = w.dropped();
    for (int n = 0; n < 100; ++n)
      REQUIRE_FALSE(w.there.send(Payload{std::vector<std::byte>(2)}, 1ms).try_await());
    REQUIRE(w.dropped() >= before + 99);
    w.gate.tell(Note{});
    REQUIRE(c.run_until([&] { return w.there.tell(Payload{}) == Sent::ok; }, 1s));
  });
}

TEST_CASE("S90 what waits for room when its node is lost fails, once", "[remoting]") {
  on_clusters([](Cluster& c) {
    World w{c};
    w.fill();
    auto waits = w.there.send(Payload{}, 1h);
    c.crash("b");
    REQUIRE(waits.try_await().error().kind == AskErrorKind::no_connection);
  });
}

TEST_CASE("S90 what can never be sent does not wait for room", "[remoting]") {
  on_clusters([](Cluster& c) {
    World w{c};
    auto large = w.there.send(Payload{std::vector<std::byte>(80 << 20)}, 1h);
    REQUIRE(large.try_await().error().kind == AskErrorKind::too_large);
    const Ref<Slow> there = w.there;
    c.members.erase("a");
    REQUIRE_FALSE(there.send(Payload{}, 1h).try_await());
  });
}
