// The mailbox and its token, by hand and under threads. tests/model/token.pml is the same protocol
// for spin.
#include "mailbox/mailbox.hpp"

#include <memory>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

namespace {

struct TestLink {
  std::atomic<TestLink*> next{nullptr};
  int sender = 0;
  int number = 0;
};
struct TestCommand {
  TestCommand* next = nullptr;
  int number = 0;
};
using Box = troupe::detail::BasicMailbox<TestLink, TestCommand>;

struct Lanes {
  Box::Inlet in;
  Box::Outlet out;
  Lanes() { Box::init(in, out); }
};

}  // namespace

TEST_CASE("C90 the first push takes the token, further ones do not - going idle gives it back",
          "[runtime]") {
  Lanes box;
  TestLink a, b;
  REQUIRE(Box::push(box.in, &a));
  REQUIRE_FALSE(Box::push(box.in, &b));
  TestLink* done = nullptr;
  REQUIRE(Box::pop(box.in, box.out, done) == Box::Pop::message);
  REQUIRE(box.out.head == &a);
  REQUIRE(done == nullptr);
  REQUIRE(Box::go_idle(box.in, box.out, done) == Box::Idle::not_empty);
  REQUIRE(Box::pop(box.in, box.out, done) == Box::Pop::message);
  REQUIRE(done == &a);
  REQUIRE(Box::pop(box.in, box.out, done) == Box::Pop::empty);
  REQUIRE(Box::go_idle(box.in, box.out, done) == Box::Idle::asleep);
  REQUIRE(done == &b);
  REQUIRE(Box::push(box.in, &a));
}

TEST_CASE("S22 a command wakes an idle and a waiting cell - mail does not wake a waiting one",
          "[runtime]") {
  Lanes box;
  TestCommand first{nullptr, 1}, second{nullptr, 2};
  TestLink mail;
  REQUIRE(Box::push_command(box.in, box.out, &first));
  REQUIRE_FALSE(Box::push_command(box.in, box.out, &second));
  REQUIRE_FALSE(Box::go_waiting(box.out));
  TestCommand* commands = Box::take_commands(box.out);
  REQUIRE(commands->number == 1);
  REQUIRE(commands->next->number == 2);
  REQUIRE(Box::go_waiting(box.out));
  REQUIRE_FALSE(Box::push(box.in, &mail));
  REQUIRE(Box::push_command(box.in, box.out, &first));
}

TEST_CASE(
    "S79 S10 C94 no wake-up is lost, nobody owns twice, and each sender's messages stay in order",
    "[runtime][stress]") {
  constexpr int senders = 3;
  constexpr int messages = 60000;
  Lanes box;
  std::vector<std::vector<TestLink>> links;
  for (int s = 0; s < senders; ++s) links.emplace_back(messages);
  std::vector<std::vector<TestCommand>> commands(senders);
  for (auto& c : commands) c.resize(messages / 4);
  std::atomic<int> schedules{0};  // tokens handed out and not taken up yet
  std::atomic<int> owners{0};
  std::atomic<int> left{senders * (messages + messages / 4)};
  std::vector<int> next(senders, 0);
  std::atomic<int> violations{0};  // Catch's assertions are for one thread
  const auto expect = [&](bool holds) {
    if (!holds) violations.fetch_add(1);
  };
  const auto run = [&] {
    expect(owners.fetch_add(1) == 0);
    for (;;) {
      for (TestCommand* c = Box::take_commands(box.out); c != nullptr; c = c->next)
        left.fetch_sub(1);
      TestLink* done = nullptr;
      const Box::Pop pop = Box::pop(box.in, box.out, done);
      if (pop == Box::Pop::message) {
        expect(next[static_cast<std::size_t>(box.out.head->sender)]++ == box.out.head->number);
        left.fetch_sub(1);
        continue;
      }
      owners.fetch_sub(1);
      if (pop == Box::Pop::half_pushed) {
        schedules.fetch_add(1);
        return;
      }
      const Box::Idle idle = Box::go_idle(box.in, box.out, done);
      if (idle == Box::Idle::asleep || idle == Box::Idle::other_owner) return;
      expect(owners.fetch_add(1) == 0);
    }
  };
  std::vector<std::thread> threads;
  for (int s = 0; s < senders; ++s) {
    threads.emplace_back([&, s] {
      for (int i = 0; i < messages; ++i) {
        TestLink& link = links[static_cast<std::size_t>(s)][static_cast<std::size_t>(i)];
        link.sender = s;
        link.number = i;
        if (Box::push(box.in, &link)) schedules.fetch_add(1);
        if (i % 4 == 0 &&
            Box::push_command(
                box.in, box.out,
                &commands[static_cast<std::size_t>(s)][static_cast<std::size_t>(i) / 4])) {
          schedules.fetch_add(1);
        }
      }
    });
  }
  std::vector<std::thread> runners;
  for (int r = 0; r < 2; ++r) {
    runners.emplace_back([&] {
      while (left.load() > 0) {
        int seen = schedules.load();
        if (seen > 0 && schedules.compare_exchange_strong(seen, seen - 1)) run();
      }
    });
  }
  for (auto& t : threads) t.join();
  for (auto& t : runners) t.join();
  REQUIRE(violations == 0);
  for (const int count : next) REQUIRE(count == messages);
}
