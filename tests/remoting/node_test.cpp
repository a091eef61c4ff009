// Actors of several nodes: refs, tells, asks, watches, links, and what is left of them when a node
// or a connection is lost.
#include <algorithm>

#include "cluster.hpp"

using namespace std::chrono_literals;
using namespace cluster_test;
using troupe::Actor;
using troupe::AskErrorKind;
using troupe::ExitReason;
using troupe::Ref;
using troupe::Terminated;
using troupe::test::Cluster;
using troupe::test::Member;
using troupe::test::on_clusters;

namespace {

/// Counts, remembers, and passes on.
class Counter : public Actor<Add, Note, Done, Payload, Introduce, WhoAreYou> {
 public:
  explicit Counter(std::shared_ptr<std::vector<std::uint64_t>> n = nullptr) : notes(std::move(n)) {}
  Sum receive(const Add& m) { return {sum += m.n}; }
  void receive(const Note& m) {
    if (notes != nullptr) notes->push_back(m.n);
  }
  void receive(const Done&) {}
  void receive(const Payload& m) {
    if (notes != nullptr) notes->push_back(m.bytes.size());
  }
  void receive(const Introduce& m) { m.to.tell(Note{m.n}); }
  IAm receive(const WhoAreYou&) { return {Ref<Notes>{Ref<Counter>{self()}}}; }

 private:
  std::uint64_t sum = 0;
  std::shared_ptr<std::vector<std::uint64_t>> notes;
};

/// Answers with what is no struct.
class Reader : public Actor<CountWords, Shout, IsEmpty> {
 public:
  std::uint16_t receive(const CountWords& m) {
    return static_cast<std::uint16_t>(1 + std::count(m.text.begin(), m.text.end(), ' '));
  }
  std::string receive(const Shout& m) { return m.text.empty() ? "" : m.text + "!"; }
  bool receive(const IsEmpty& m) { return m.text.empty(); }
};

std::shared_ptr<std::vector<std::uint64_t>> new_notes() {
  return std::make_shared<std::vector<std::uint64_t>>();
}

/// Watches what it is told to, and remembers what it hears.
struct WatchIt {
  Ref<> who;
};
struct LinkIt {
  Ref<> who;
};
struct UnlinkIt {
  Ref<> who;
};
class Watcher : public Actor<WatchIt, LinkIt, UnlinkIt, Note> {
 public:
  using Heard = std::vector<std::string>;
  explicit Watcher(std::shared_ptr<Heard> heard) : heard_(std::move(heard)) {}
  void receive(const WatchIt& m) { watch(m.who); }
  void receive(const LinkIt& m) { link(m.who); }
  void receive(const UnlinkIt& m) { unlink(m.who); }
  void receive(const Note& m) { heard_->push_back("note " + std::to_string(m.n)); }
  void receive(const Terminated& t) {
    heard_->push_back("terminated: " + std::string(to_string(t.why.kind())));
  }

 private:
  std::shared_ptr<Heard> heard_;
};

template <class P = Counter>
Ref<P> resolve(Member& from, const std::string& uri) {
  return from.node.resolve<P>(uri).await();
}

/// Who watches it, and what he hears.
std::pair<Ref<Watcher>, std::shared_ptr<Watcher::Heard>> watching(Member& at, const Ref<>& whom) {
  const auto heard = std::make_shared<Watcher::Heard>();
  const auto watcher = at.system.spawn<Watcher>(heard);
  watcher.tell(WatchIt{whom});
  at.system.settle();
  return {watcher, heard};
}

}  // namespace

TEST_CASE("S84 an actor of another node is told and asked as one's own", "[remoting]") {
  on_clusters([](Cluster& c) {
    Member& a = c.start("a");
    Member& b = c.start("b");
    const auto notes = new_notes();
    const auto counter = b.system.spawn<Counter>({.name = "counter"}, notes);
    const auto remote = resolve(a, "troupe://b:1/counter");
    REQUIRE(remote.ask(Add{3}).await() == Sum{3});
    REQUIRE(remote.ask(Add{4}).await() == Sum{7});
    remote.ask(Done{}).await();
    for (std::uint64_t n = 0; n < 99; ++n) remote.tell(Note{n});
    remote.tell_urgent(Note{99});  // between nodes there is one order
    REQUIRE(c.run_until([&] { return notes->size() == 100; }));
    for (std::uint64_t n = 0; n < 100; ++n) REQUIRE((*notes)[n] == n);  // S2
    REQUIRE(counter.ask(Add{0}).await() == Sum{7});
    REQUIRE(remote.to_string() == "troupe://b:1/#1");
  });
}

TEST_CASE("S84 a ref in a message leads home again, and to a third node", "[remoting]") {
  on_clusters([](Cluster& c) {
    Member& a = c.start("a");
    Member& b = c.start("b");
    Member& d = c.start("d");
    const auto notes_a = new_notes();
    const auto notes_d = new_notes();
    const auto here = a.system.spawn<Counter>(notes_a);
    b.system.spawn<Counter>({.name = "b"});
    d.system.spawn<Counter>({.name = "d"}, notes_d);
    const auto at_b = resolve(a, "troupe://b:1/b");
    const auto at_d = resolve(a, "troupe://d:1/d");
    at_b.tell(Introduce{here, 1});
    at_b.tell(Introduce{at_d, 2});
    REQUIRE(c.run_until([&] { return notes_a->size() == 1 && notes_d->size() == 1; }));
    REQUIRE(*notes_a == std::vector<std::uint64_t>{1});
    REQUIRE(*notes_d == std::vector<std::uint64_t>{2});
    REQUIRE(Ref<>{at_b.ask(WhoAreYou{}).await().me} == Ref<>{at_b});
  });
}

TEST_CASE("S84 an answer may be a number, a text or a truth", "[remoting]") {
  on_clusters([](Cluster& c) {
    Member& a = c.start("a");
    c.start("b").system.spawn<Reader>({.name = "b"});
    const auto reader = resolve<Reader>(a, "troupe://b:1/b");
    REQUIRE(reader.ask(CountWords{"to be or not"}).await() == 4);
    REQUIRE(reader.ask(Shout{"hear"}).await() == "hear!");
    REQUIRE(reader.ask(Shout{""}).await().empty());
    REQUIRE(reader.ask(IsEmpty{""}).await());
    REQUIRE_FALSE(reader.ask(IsEmpty{"x"}).await());
  });
}

TEST_CASE("S56 the end of another node's actor is heard once, after what it sent", "[remoting]") {
  on_clusters([](Cluster& c) {
    Member& a = c.start("a");
    Member& b = c.start("b");
    b.system.spawn<Counter>({.name = "b"});
    const auto at_b = resolve(a, "troupe://b:1/b");
    const auto [watcher, heard] = watching(a, at_b);
    at_b.ask(Done{}).await();
    // What it sends before its end comes before the news of it (S3).
    Ref<Notes> notes{Ref<Note>{watcher.address()}.address()};
    for (std::uint64_t n = 1; n <= 3; ++n) at_b.tell(Introduce{notes, n});
    at_b.ask(Done{}).await();
    a.system.stop(at_b).await();
    c.advance(1min);
    REQUIRE(*heard == Watcher::Heard{"note 1", "note 2", "note 3", "terminated: shutdown"});
    REQUIRE(at_b.ask(Add{1}).try_await().error().kind == AskErrorKind::receiver_down);
    watcher.tell(WatchIt{at_b});
    c.advance(1min);
    REQUIRE(heard->back() == "terminated: no actor");
    REQUIRE(heard->size() == 5);
  });
}

TEST_CASE("S56 C87 a node that is gone is heard of once, and its next start is another",
          "[remoting]") {
  on_clusters([](Cluster& c) {
    Member& a = c.start("a");
    c.start("b").system.spawn<Counter>({.name = "b"});
    const auto old_b = resolve(a, "troupe://b:1/b");
    const auto [watcher, heard] = watching(a, old_b);
    REQUIRE(old_b.ask(Add{1}).await() == Sum{1});
    auto pending = old_b.ask(Add{1}, 1h);
    const bool is_heard = c.world->random().below(2) == 0;
    c.crash("b", is_heard);
    c.advance(30s);
    REQUIRE(*heard == Watcher::Heard{"terminated: no connection"});
    if (auto result = pending.try_await(); !result)
      REQUIRE(result.error().kind == AskErrorKind::no_connection);
    c.start("b").system.spawn<Counter>({.name = "b"});
    const auto new_b = resolve(a, "troupe://b:1/b");
    REQUIRE(new_b.ask(Add{5}).await() == Sum{5});
    REQUIRE_FALSE(Ref<>{new_b} == Ref<>{old_b});
    REQUIRE(old_b.ask(Add{7}).try_await().error().kind == AskErrorKind::no_connection);
    REQUIRE(new_b.ask(Add{1}).await() == Sum{6});  // what was meant for the old one is not there
    REQUIRE(heard->size() == 1);
  });
}

TEST_CASE("S87 what waited when an epoch ended is not delivered in the next", "[remoting]") {
  on_clusters([](Cluster& c) {
    Member& a = c.start("a");
    Member& b = c.start("b");
    const auto notes = new_notes();
    b.system.spawn<Counter>({.name = "b"}, notes);
    const auto at_b = resolve(a, "troupe://b:1/b");
    const auto [watcher, heard] = watching(a, at_b);
    at_b.ask(Done{}).await();
    c.network.cut_both("a:1", "b:1");
    at_b.tell(Payload{std::vector<std::byte>(1 << 20)});  // more than the wire takes
    at_b.tell(Note{1});
    c.advance(30s);
    REQUIRE(*heard == Watcher::Heard{"terminated: no connection"});
    REQUIRE(a.system.metrics().dropped_for(troupe::DropReason::no_connection) == 2);
    c.network.heal_all();
    at_b.tell(Note{2});  // the same incarnation: it is met again
    REQUIRE(c.run_until([&] { return !notes->empty(); }));
    at_b.ask(Done{}).await();
    REQUIRE(*notes == std::vector<std::uint64_t>{2});
    c.advance(1min);
    REQUIRE(heard->size() == 1);
  });
}

TEST_CASE("S91 S9 a message that is not understood fails alone", "[remoting]") {
  on_clusters([](Cluster& c) {
    Member& a = c.start("a");
    Member& b = c.start("b");
    b.system.spawn<Counter>({.name = "b"});
    const auto at_b = resolve(a, "troupe://b:1/b");
    const Ref<Unheard> wrong{at_b.address()};
    REQUIRE(wrong.ask(Unheard{}).try_await().error().kind == AskErrorKind::unknown_type);
    wrong.tell(Unheard{});
    REQUIRE(at_b.ask(Add{2}).await() == Sum{2});
    REQUIRE(b.system.metrics().dropped_for(troupe::DropReason::unknown_type) == 2);
    REQUIRE(a.node.resolve<Unheard>("troupe://b:1/b").try_await().error().kind ==
            AskErrorKind::wrong_protocol);
    REQUIRE(a.node.resolve<Counter>("troupe://b:1/nobody").try_await().error().kind ==
            AskErrorKind::receiver_down);
    REQUIRE(a.node.resolve<Counter>("troupe://z:1/b").try_await().error().kind ==
            AskErrorKind::no_connection);
    REQUIRE_THROWS_AS(a.node.resolve<Counter>("/b"), troupe::UsageError);
  });
}

TEST_CASE("S89 a message beyond max_message fails where it is sent", "[remoting]") {
  on_clusters([](Cluster& c) {
    auto small = Cluster::options("a");
    small.message_bytes_max = 1 << 20;
    Member& a = c.start(small);
    Member& b = c.start("b");
    const auto notes = new_notes();
    b.system.spawn<Counter>({.name = "b"}, notes);
    const auto at_b = resolve(a, "troupe://b:1/b");
    REQUIRE(at_b.tell(Payload{std::vector<std::byte>(2 << 20)}) == troupe::Sent::too_large);
    REQUIRE(at_b.tell(Payload{std::vector<std::byte>((1 << 20) - 64)}) == troupe::Sent::ok);
    at_b.ask(Done{}).await();
    REQUIRE(*notes == std::vector<std::uint64_t>{(1 << 20) - 64});
    REQUIRE(a.system.metrics().dropped_for(troupe::DropReason::too_large) == 1);
  });
}

TEST_CASE("S90 what waits for one node is bounded, and what is beyond that is told", "[remoting]") {
  on_clusters([](Cluster& c) {
    Member& a = c.start("a");
    Member& b = c.start("b");
    b.system.spawn<Counter>({.name = "b"});
    b.system.spawn<Counter>({.name = "b2"});
    const auto at_b = resolve(a, "troupe://b:1/b");
    const auto at_b2 = resolve(a, "troupe://b:1/b2");
    at_b.ask(Done{}).await();
    c.network.cut_both("a:1", "b:1");
    at_b2.tell(Payload{std::vector<std::byte>(1 << 20)});
    c.advance(10ms);
    std::size_t taken = 0;
    while (at_b.tell(Note{taken}) == troupe::Sent::ok) ++taken;
    REQUIRE(taken <= 3072);
    REQUIRE(taken >= 3000);
    REQUIRE(at_b.ask(Add{1}).try_await().error().kind == AskErrorKind::mailbox_full);
    REQUIRE(a.recorder->count("dead_letter") == 2);
  });
}

TEST_CASE("S58 an exit goes over a link to another node, and over a connection's end",
          "[remoting]") {
  on_clusters([](Cluster& c) {
    Member& a = c.start("a");
    Member& b = c.start("b");
    const auto counter = b.system.spawn<Counter>({.name = "b"});
    b.system.spawn<Counter>({.name = "b2"});
    const auto linked = [&](const char* uri) {
      const auto remote = resolve(a, uri);
      const auto watcher = a.system.spawn<Watcher>(std::make_shared<Watcher::Heard>());
      watcher.tell(LinkIt{remote});
      a.system.settle();
      remote.ask(Done{}).await();
    };
    linked("troupe://b:1/b");
    linked("troupe://b:1/b2");
    const auto alive = [&] { return a.system.actor_count(); };
    REQUIRE(alive() == 2);
    b.system.kill(counter);
    REQUIRE(c.run_until([&] { return alive() == 1; }));
    c.crash("b", false);
    REQUIRE(c.run_until([&] { return alive() == 0; }));
  });
}

TEST_CASE("N8 the next start of a node is met while the connection to the last still hangs",
          "[remoting]") {
  on_clusters([](Cluster& c) {
    Member& a = c.start("a");
    Member& d = c.start("d");
    c.start("b").system.spawn<Counter>({.name = "b"});
    d.system.spawn<Counter>({.name = "d"});
    const auto at_d = resolve(a, "troupe://d:1/d");
    resolve(d, "troupe://b:1/b").ask(Done{}).await();
    c.crash("b", false);  // nobody hears of it
    const auto notes = new_notes();
    c.start("b").system.spawn<Counter>({.name = "b"}, notes);
    const auto new_b = resolve(a, "troupe://b:1/b");
    const auto start = c.world->clock()->now();
    at_d.tell(Introduce{new_b, 1});
    REQUIRE(c.run_until([&] { return !notes->empty(); }));
    REQUIRE(c.world->clock()->now() - start < 2s);  // before the last one's silence is judged
  });
}

TEST_CASE("S58 a link to an actor of another node that has ended fails at once", "[remoting]") {
  on_clusters([](Cluster& c) {
    Member& a = c.start("a");
    Member& b = c.start("b");
    b.system.spawn<Counter>({.name = "b"});
    const auto at_b = resolve(a, "troupe://b:1/b");
    a.system.stop(at_b).await();
    const auto watcher = a.system.spawn<Watcher>(std::make_shared<Watcher::Heard>());
    watcher.tell(LinkIt{at_b});
    REQUIRE(c.run_until([&] { return a.system.actor_count() == 0; }, 1s));
  });
}

TEST_CASE("S58 a link that crosses the end of the last one stays, on both sides", "[remoting]") {
  for (const char* lost : {"a", "b"}) {
    on_clusters([&](Cluster& c) {
      Member& a = c.start("a");
      Member& b = c.start("b");
      const auto heard = std::make_shared<Watcher::Heard>();
      const auto of_a = a.system.spawn<Watcher>({.name = "a"}, heard);
      const auto of_b = b.system.spawn<Watcher>({.name = "b"}, heard);
      const Ref<> b_at_a = resolve<Notes>(a, "troupe://b:1/b");
      const Ref<> a_at_b = resolve<Notes>(b, "troupe://a:1/a");
      of_a.tell(LinkIt{b_at_a});
      c.advance(1s);
      c.network.delay(2s, 2s);
      of_a.tell(UnlinkIt{b_at_a});
      of_b.tell(LinkIt{a_at_b});
      c.advance(10s);
      Member& left = lost == std::string("a") ? b : a;
      REQUIRE(left.system.actor_count() == 1);
      c.crash(lost);
      REQUIRE(c.run_until([&] { return left.system.actor_count() == 0; }));
    });
  }
}
