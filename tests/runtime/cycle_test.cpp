// Rings of actors that wait for each other: seen at once, and told with their path.
#include <atomic>
#include <optional>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Pass {  // asks the next of the path, and that the one behind it
  std::vector<troupe::Ref<Pass>> path;
  troupe::Duration patience = troupe::no_timeout;
  using Reply = std::string;
};
struct Touch {
  using Reply = int;
};

std::vector<troupe::Ref<Pass>> rest_of(const std::vector<troupe::Ref<Pass>>& path) {
  std::vector<troupe::Ref<Pass>> rest;
  for (std::size_t i = 1; i < path.size(); ++i) rest.push_back(path[i]);
  return rest;
}

/// Answers with what became of its own ask.
template <const troupe::Turns& T>
class Node : public troupe::Actor<Pass, Touch> {
 public:
  static constexpr auto turns = T;
  std::string receive(const Pass& m) {
    if (m.path.empty()) return "the end";
    const auto rest = rest_of(m.path);
    const auto result = m.path.front().ask(Pass{rest}, m.patience).try_await();
    return result ? *result
                  : std::string(to_string(result.error().kind)) + ": " + result.error().what;
  }
  int receive(const Touch&) { return 1; }
};
using Patient = Node<troupe::exclusive>;
using Reentrant = Node<troupe::reentrant>;

}  // namespace

TEST_CASE("S138 C110 a ring of waits fails the newest ask at once, with the path", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto a = system.spawn<Patient>({.name = "a"});
    auto b = system.spawn<Patient>({.name = "b"});
    auto c = system.spawn<Patient>({.name = "c"});
    const auto before = system.now();
    REQUIRE(a.ask(Pass{{b, c, a}}, troupe::no_timeout).await() ==
            "cycle of waits: waiting would close a ring: /c -> /a -> /b -> /c");
    REQUIRE(a.ask(Pass{{a}}, troupe::no_timeout).await() ==
            "cycle of waits: waiting would close a ring: /a -> /a");
    REQUIRE(a.ask(Pass{{b, c}}, troupe::no_timeout).await() == "the end");
    REQUIRE(system.now() == before);
  });
}

TEST_CASE("S138 of two asks that race to close a ring at least one fails, and nobody hangs",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto a = system.spawn<Patient>();
    auto b = system.spawn<Patient>();
    auto first = a.ask(Pass{{b, b}}, troupe::no_timeout);
    auto second = b.ask(Pass{{a, a}}, troupe::no_timeout);
    const std::string one = first.await();
    const std::string two = second.await();
    REQUIRE(
        (one.find("cycle of waits") == 0 || two.find("cycle of waits") == 0 || one == "the end"));
  });
}

TEST_CASE("S138 C110 through a reentrant actor there is no ring: it answers while it waits",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto a = system.spawn<Reentrant>();
    auto b = system.spawn<Patient>();
    REQUIRE(a.ask(Pass{{b, a}}, troupe::no_timeout).await() == "the end");
  });
}

TEST_CASE("S138 a reentrant actor that asks whom it is to answer is not refused: time ends that",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto a = system.spawn<Reentrant>();
    auto b = system.spawn<Patient>();
    const auto before = system.now();
    REQUIRE_THAT(b.ask(Pass{{a, b}, 10s}, troupe::no_timeout).await(),
                 Catch::StartsWith("timeout"));
    REQUIRE(system.now() - before == 10s);
  });
}

namespace {

/// Hands its request on, and so does not wait for it.
class Forwarder : public troupe::Actor<Pass> {
 public:
  troupe::Forwarded<std::string> receive(const Pass& m) {
    return forward(m.path.front(), Pass{rest_of(m.path)});
  }
};

/// Starts a child that asks its parent, which waits for the child's start.
class Parent : public troupe::Actor<Pass, Touch> {
 public:
  std::string receive(const Pass&) {
    try {
      start<Child>(troupe::SpawnOptions{}, self());
      return "started";
    } catch (const troupe::StartFailed& e) {
      return e.what();
    }
  }
  int receive(const Touch&) { return 1; }

 private:
  class Child : public troupe::Actor<Pass> {
   public:
    explicit Child(troupe::Ref<Touch> parent) : parent_(parent) {}
    void on_start() override {
      static_cast<void>(parent_.ask(Touch{}, troupe::no_timeout).await());
    }
    std::string receive(const Pass&) { return ""; }

   private:
    troupe::Ref<Touch> parent_;
  };
};

}  // namespace

TEST_CASE("S138 forward moves the edge of the wait to whom the request was handed", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto a = system.spawn<Patient>({.name = "a"});
    auto f = system.spawn<Forwarder>({.name = "f"});
    auto b = system.spawn<Patient>({.name = "b"});
    REQUIRE(a.ask(Pass{{f, b}}, troupe::no_timeout).await() == "the end");
    REQUIRE(a.ask(Pass{{f, b, a}}, troupe::no_timeout).await() ==
            "cycle of waits: waiting would close a ring: /b -> /a -> /b");
  });
}

TEST_CASE("S48 S138 a start is an edge: a child that asks the parent that starts it is refused",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto parent = system.spawn<Parent>();
    const auto before = system.now();
    REQUIRE_THAT(parent.ask(Pass{}, troupe::no_timeout).await(), Catch::Contains("ring"));
    REQUIRE(system.now() == before);
  });
}

TEST_CASE("S138 why: what an actor waits for, and what that waits for", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Pass> end{system};
    auto a = system.spawn<Patient>({.name = "a"});
    auto b = system.spawn<Patient>({.name = "b"});
    REQUIRE(system.why(a) == "/a waits for nobody");
    auto ask = a.ask(Pass{{b, end.ref()}}, 1h);
    end.expect<Pass>();
    REQUIRE_THAT(system.why(a), Catch::Contains("/a waits for the answer to") &&
                                    Catch::Contains("from /b, which waits for the answer to") &&
                                    Catch::EndsWith(", which keeps the duty to answer"));
    end.reply<Pass>("done");
    REQUIRE(ask.await() == "done");
    system.settle();
    REQUIRE(system.why(a) == "/a waits for nobody");
  });
}

namespace {

struct Begin {
  using Reply = std::string;
};
struct Read {
  using Reply = int;
};
struct Write {};

/// A reader that waits for another reader, with a writer between them.
class Library : public troupe::Actor<Begin, Read, Write> {
 public:
  static constexpr auto turns = troupe::readers_together;
  explicit Library(troupe::Ref<Read> other = {}) : other_(other) {}
  std::string receive(const Begin&) const {
    self().tell(Write{});
    auto ask =
        other_ ? other_.ask(Read{}, troupe::no_timeout) : self().ask(Read{}, troupe::no_timeout);
    const auto result = ask.try_await();
    return result ? "read" : result.error().what;
  }
  int receive(const Read&) const { return 1; }
  void receive(const Write&) {}

 private:
  troupe::Ref<Read> other_;
};
/// Reads in turn where it was told to.
class Branch : public troupe::Actor<Read, troupe::Ref<Read>> {
 public:
  int receive(const Read&) { return main_.ask(Read{}, troupe::no_timeout).await(); }
  void receive(const troupe::Ref<Read>& main) { main_ = main; }

 private:
  troupe::Ref<Read> main_;
};

}  // namespace

TEST_CASE("S138 a reader that waits behind a writer, which waits for that reader, is a ring too",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto library = system.spawn<Library>({.name = "library"});
    REQUIRE(library.ask(Begin{}, troupe::no_timeout).await() ==
            "waiting would close a ring: /library -> /library");
    REQUIRE(library.ask(Read{}).await() == 1);

    auto branch = system.spawn<Branch>({.name = "branch"});
    auto main = system.spawn<Library>({.name = "main"}, branch);
    branch.tell(troupe::Ref<Read>{main});
    system.settle();
    // Whichever of the two waits last is told; without a ring when the Read came before the Write.
    REQUIRE_THAT(main.ask(Begin{}, troupe::no_timeout).await(),
                 Catch::Contains("waiting would close a ring") || Catch::Equals("read"));
    REQUIRE(main.ask(Read{}).await() == 1);
  });
}

namespace {

struct Begun {
  using Reply = int;
};
struct Rows {
  using Reply = troupe::Stream<int>;
};
/// Writes more rows than its reader's credit, and says how that ended.
class Writer : public troupe::Actor<Rows, Touch> {
 public:
  explicit Writer(std::atomic<bool>& refused) : refused_(refused) {}
  void receive(const Rows&, troupe::StreamTo<int> out) {
    for (int i = 0; i < 1000; ++i) {
      const auto sent = out.send(i).try_await();
      if (sent) continue;
      if (sent.error().kind == troupe::AskErrorKind::cycle) refused_ = true;
      return;
    }
  }
  int receive(const Touch&) { return 1; }

 private:
  std::atomic<bool>& refused_;
};
/// Asks its writer something before it has read all.
class Reader : public troupe::Actor<Begun> {
 public:
  Reader(troupe::Ref<Rows, Touch> writer, std::atomic<bool>& refused)
      : writer_(writer), refused_(refused) {}
  int receive(const Begun&) {
    auto rows = writer_.ask(Rows{}, troupe::no_timeout).await();
    static_cast<void>(rows.next().await());  // from here on it is known who reads
    const auto touched = writer_.ask(Touch{}, troupe::no_timeout).try_await();
    if (!touched && touched.error().kind == troupe::AskErrorKind::cycle) refused_ = true;
    return touched ? *touched : 0;
  }

 private:
  troupe::Ref<Rows, Touch> writer_;
  std::atomic<bool>& refused_;
};

}  // namespace

TEST_CASE("S138 a wait for credit is an edge: a reader that asks its writer between closes a ring",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    std::atomic<bool> refused{false};
    auto writer = system.spawn<Writer>(std::ref(refused));
    auto reader = system.spawn<Reader>(writer, std::ref(refused));
    const auto before = system.now();
    static_cast<void>(reader.ask(Begun{}, troupe::no_timeout).try_await());
    REQUIRE(refused);
    REQUIRE(system.now() == before);
  });
}

namespace {

struct Take {
  troupe::Stream<int> rows;
};
/// Reads what others were given, when it is told to.
class Taker : public troupe::Actor<Take, Begun> {
 public:
  void receive(Take&& m) { rows_.emplace(std::move(m.rows)); }
  int receive(const Begun&) {
    int sum = 0;
    while (auto row = rows_->next().try_await()) {
      if (!*row) break;
      sum += **row;
    }
    return sum;
  }

 private:
  std::optional<troupe::Stream<int>> rows_;
};
/// Reads a row, gives the Stream away, and asks its writer.
class Giver : public troupe::Actor<Begun> {
 public:
  Giver(troupe::Ref<Rows, Touch> writer, troupe::Ref<Take> taker)
      : writer_(writer), taker_(taker) {}
  int receive(const Begun&) {
    auto rows = writer_.ask(Rows{}, troupe::no_timeout).await();
    static_cast<void>(rows.next().await());
    taker_.tell(Take{std::move(rows)});
    return writer_.ask(Touch{}, troupe::no_timeout).await();
  }

 private:
  troupe::Ref<Rows, Touch> writer_;
  troupe::Ref<Take> taker_;
};

}  // namespace

TEST_CASE("S138 who gave a Stream away is no part of its writer's wait", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    std::atomic<bool> refused{false};
    auto writer = system.spawn<Writer>(std::ref(refused));
    auto taker = system.spawn<Taker>();
    auto giver = system.spawn<Giver>(writer, taker);
    auto given = giver.ask(Begun{}, troupe::no_timeout);
    system.settle();
    auto sum = taker.ask(Begun{}, troupe::no_timeout);
    REQUIRE(given.await() == 1);
    REQUIRE(sum.await() == 999 * 1000 / 2);
    REQUIRE_FALSE(refused);
  });
}

namespace {

/// Stops who asks it, and waits for that.
class Stopper : public troupe::Actor<Pass> {
 public:
  explicit Stopper(TestSystem& system) : system_(system) {}
  std::string receive(const Pass&) {
    const auto stopped = system_.stop(*system_.find<Pass>("/victim")).try_await();
    return stopped ? "stopped" : std::string(troupe::to_string(stopped.error().kind));
  }

 private:
  TestSystem& system_;
};

}  // namespace

TEST_CASE("S138 the wait for a stop is an edge", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto stopper = system.spawn<Stopper>(std::ref(system));
    auto victim = system.spawn<Patient>({.name = "victim"});
    const auto before = system.now();
    REQUIRE(victim.ask(Pass{{stopper}}, troupe::no_timeout).await() == "cycle of waits");
    REQUIRE(system.now() == before);
  });
}

TEST_CASE("S138 why: also of those that take messages while they wait", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Pass> end{system};
    auto a = system.spawn<Reentrant>({.name = "a"});
    auto first = a.ask(Pass{{end.ref()}}, 1h);
    auto second = a.ask(Pass{{end.ref()}}, 1h);
    end.expect<Pass>();
    end.reply<Pass>("done");
    REQUIRE(first.await() == "done");
    end.expect<Pass>();
    system.settle();
    REQUIRE_THAT(system.why(a),
                 Catch::StartsWith("/a waits and takes messages meanwhile, for the answer to"));
    end.reply<Pass>("done");
    REQUIRE(second.await() == "done");
    system.settle();
    REQUIRE(system.why(a) == "/a waits for nobody");
    auto listener = troupe::spawn_process(
        system,
        [](troupe::Process<Touch>& self) { self.receive([](Touch, troupe::ReplyTo<int>) {}); },
        {.name = "listener"});
    system.settle();
    REQUIRE(system.why(listener) == "/listener waits and takes messages meanwhile, for a message");
  });
}

namespace {

class Borrower : public troupe::Actor<Begun> {
 public:
  explicit Borrower(TestSystem& system) : system_(system) {}
  int receive(const Begun&) {
    std::string why;
    troupe::blocking([&] { why = system_.why(self()); });
    return why.find("for a blocking call or an operation outside") != std::string::npos;
  }

 private:
  TestSystem& system_;
};

}  // namespace

TEST_CASE("S138 why: a blocking call is waited for too", "[runtime]") {
  troupe::test::on_seeds([](TestSystem& system) {
    auto borrower = system.spawn<Borrower>(std::ref(system));
    REQUIRE(borrower.ask(Begun{}).await() == 1);
  });
}

namespace {

struct AskBoth {
  std::vector<troupe::Ref<Pass>> others;
  using Reply = std::string;
};
/// Waits for the first answer of several, and says what came of it.
class Chooser : public troupe::Actor<AskBoth, Pass> {
 public:
  std::string receive(const AskBoth& m) {
    std::vector<troupe::Ask<std::string>> asks;
    for (const auto& other : m.others)
      asks.push_back(other.ask(Pass{{self()}}, troupe::no_timeout));
    auto& first = asks[troupe::await_any(asks)];
    const auto result = first.try_await();
    return result ? *result : result.error().what;
  }
  std::string receive(const Pass&) { return "chosen"; }
};
/// Answers at once.
class Quick : public troupe::Actor<Pass> {
 public:
  std::string receive(const Pass&) { return "quick"; }
};

}  // namespace

TEST_CASE("S138 await_any closes a ring only if all its branches do", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto chooser = system.spawn<Chooser>({.name = "chooser"});
    auto a = system.spawn<Patient>({.name = "a"});
    auto b = system.spawn<Patient>({.name = "b"});
    auto quick = system.spawn<Quick>();
    const auto before = system.now();
    REQUIRE(chooser.ask(AskBoth{{a, quick}}, troupe::no_timeout).await() == "quick");
    const std::string ring = chooser.ask(AskBoth{{a, b}}, troupe::no_timeout).await();
    REQUIRE_THAT(ring, Catch::Contains("waiting would close a ring: "));
    REQUIRE(system.now() == before);
    REQUIRE(chooser.ask(AskBoth{{a, quick}}, troupe::no_timeout).await() == "quick");
  });
}
