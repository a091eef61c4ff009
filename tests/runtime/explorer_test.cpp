// The explorer of support/interleavings.hpp itself: it finds what is known to go wrong, and nothing
// else.
#include <catch2/catch.hpp>

#include "support/interleavings.hpp"

using troupe::test::expect;
using troupe::test::Exploration;
using troupe::test::explore;
using troupe::test::Explored;
using troupe::test::ExploredMutex;
using troupe::test::Plain;

namespace {

/// Two threads write and then look at what the other wrote. One of them must see it.
template <std::memory_order order, std::memory_order load_order = order>
struct StoreBuffering {
  static constexpr const char* names[] = {"left", "right"};
  Explored<int> written[2];
  int seen[2] = {};

  void run(std::size_t me) {
    written[me].store(1, order);
    seen[me] = written[1 - me].load(load_order);
  }
  void check() { expect(seen[0] + seen[1] != 0, "neither sees the other"); }
};

struct StoreBufferingWithFences : StoreBuffering<std::memory_order_relaxed> {
  void run(std::size_t me) {
    written[me].store(1, std::memory_order_relaxed);
    troupe::test::explored_fence();
    seen[me] = written[1 - me].load(std::memory_order_relaxed);
  }
};

/// Data, and a flag that says that it is there.
template <std::memory_order store_order, std::memory_order load_order>
struct MessagePassing {
  static constexpr const char* names[] = {"writer", "reader"};
  Explored<int> flag;
  Plain<int> data{"the data"};

  void run(std::size_t me) {
    if (me == 0) {
      data = 1;
      flag.store(1, store_order);
    } else if (flag.load(load_order) == 1) {
      expect(data == 1, "the flag came before the data");
    }
  }
  void check() {}
};

/// The same where the data are atomic too.
template <std::memory_order store_order>
struct AtomicMessagePassing {
  static constexpr const char* names[] = {"writer", "reader"};
  Explored<int> flag;
  Explored<int> data;

  void run(std::size_t me) {
    if (me == 0) {
      data.store(1, std::memory_order_relaxed);
      flag.store(1, store_order);
    } else if (flag.load(std::memory_order_acquire) == 1) {
      expect(data.load(std::memory_order_relaxed) == 1, "the flag came before the data");
    }
  }
  void check() {}
};

/// Two threads count.
template <bool in_one_step>
struct Counting {
  static constexpr const char* names[] = {"first", "second"};
  Explored<int> count;

  void run(std::size_t) {
    if (in_one_step) {
      count.fetch_add(1);
    } else {
      count.store(count.load() + 1);
    }
  }
  void check() { expect(count.peek() == 2, "one is lost"); }
};

/// Two locks, taken in the same order or not.
template <bool in_order>
struct TwoLocks {
  static constexpr const char* names[] = {"first", "second"};
  ExploredMutex locks[2];
  Plain<int> counted{"what the locks protect"};

  void run(std::size_t me) {
    const std::size_t first = in_order ? 0 : me;
    locks[first].lock();
    locks[1 - first].lock();
    counted = counted + 1;
    locks[1 - first].unlock();
    locks[first].unlock();
  }
  void check() { expect(counted.peek() == 2, "one is lost"); }
};

/// Waits by looking again and again.
struct Spinning {
  static constexpr const char* names[] = {"spinner", "writer"};
  Explored<bool> is_set;

  void run(std::size_t me) {
    if (me == 1) {
      is_set.store(true, std::memory_order_release);
    } else {
      while (!is_set.load(std::memory_order_acquire)) troupe::test::explored_yield();
    }
  }
  void check() {}
};

using enum std::memory_order;

template <class S>
void require_clean() {
  const Exploration e = explore<S>();
  INFO(e.schedule);
  REQUIRE(e.finding.empty());
  REQUIRE(e.is_complete);
  REQUIRE(e.executions > 1);
}

template <class S>
void require_finding(const std::string& what) {
  const Exploration e = explore<S>();
  REQUIRE(e.finding == what);
  const Exploration again = troupe::test::replay<S>(e.choices);
  REQUIRE(again.finding == what);
  REQUIRE(again.schedule == e.schedule);
}

}  // namespace

TEST_CASE("the explorer finds what delayed stores do, and no more than that", "[runtime]") {
  require_finding<StoreBuffering<release, acquire>>("neither sees the other");
  require_finding<StoreBuffering<release, seq_cst>>("neither sees the other");
  require_finding<StoreBuffering<seq_cst, acquire>>("neither sees the other");
  require_clean<StoreBuffering<seq_cst>>();
  require_clean<StoreBufferingWithFences>();
}

TEST_CASE("the explorer finds a release or an acquire that is missing", "[runtime]") {
  require_finding<AtomicMessagePassing<relaxed>>("the flag came before the data");
  require_clean<AtomicMessagePassing<release>>();
  require_finding<MessagePassing<relaxed, acquire>>("read without order: the data");
  require_finding<MessagePassing<release, relaxed>>("read without order: the data");
  require_clean<MessagePassing<release, acquire>>();
}

TEST_CASE("the explorer finds lost updates, deadlocks, and the way out of a loop", "[runtime]") {
  require_finding<Counting<false>>("one is lost");
  require_clean<Counting<true>>();
  require_finding<TwoLocks<false>>("all threads wait for each other");
  require_clean<TwoLocks<true>>();
  require_clean<Spinning>();
}
