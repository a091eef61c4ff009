// The work-stealing deque.
#include "scheduler/deque.hpp"

#include <thread>
#include <vector>

#include <catch2/catch.hpp>

using troupe::detail::Deque;

TEST_CASE("a deque gives out in order, refuses when full, and wraps", "[runtime]") {
  Deque<int, 8> deque;
  int items[20];
  REQUIRE(deque.take() == nullptr);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 8; ++i) REQUIRE(deque.push(&items[i]));
    REQUIRE_FALSE(deque.push(&items[9]));
    for (int i = 0; i < 8; ++i) REQUIRE(deque.take() == &items[i]);
    REQUIRE(deque.empty());
  }
}

TEST_CASE("S10 every item is taken exactly once, by the owner or by a thief", "[runtime][stress]") {
  constexpr int count = 200000;
  Deque<int> deque;
  std::vector<int> items(count);
  std::vector<std::atomic<int>> taken(count);
  std::atomic<bool> done{false};
  const auto take = [&] {
    if (int* item = deque.take()) {
      taken[static_cast<std::size_t>(item - items.data())].fetch_add(1);
      return true;
    }
    return false;
  };
  std::thread thief([&] {
    while (!done) take();
  });
  for (int i = 0; i < count;) {
    if (deque.push(&items[static_cast<std::size_t>(i)])) {
      ++i;
    } else {
      take();
    }
    if (i % 3 == 0) take();
  }
  while (take()) {
  }
  done = true;
  thief.join();
  while (take()) {
  }
  for (const auto& times : taken) REQUIRE(times == 1);
}
