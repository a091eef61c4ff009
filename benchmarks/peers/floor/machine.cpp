// What the machine does without actors: a queue between threads, a futex round trip, a timer wheel.
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <atomic>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "workloads.hpp"

namespace bench {
namespace {

void produce(Mailbox& mailbox, std::int64_t messages) {
  for (std::int64_t i = 0; i < messages; ++i) {
    auto* m = new Message;
    m->value = i;
    mailbox.push(m);
  }
}
/// One thread: so many messages in, then all out, again and again.
void fan_in_alone(std::int64_t messages) {
  constexpr std::int64_t batch = 100'000;
  Mailbox mailbox;
  for (std::int64_t i = 0; i < messages; i += batch) {
    produce(mailbox, batch);
    while (Message* m = mailbox.pop()) delete m;
  }
}
/// Two threads push, this one pops.
void fan_in_of_two(std::int64_t messages) {
  Mailbox mailbox;
  std::thread one(produce, std::ref(mailbox), messages / 2);
  std::thread other(produce, std::ref(mailbox), messages / 2);
  for (std::int64_t left = messages; left > 0;) {
    Message* m = mailbox.pop();
    if (m == nullptr) {
      __builtin_ia32_pause();
      continue;
    }
    delete m;
    --left;
  }
  one.join();
  other.join();
}

long futex(std::atomic<int>& word, int operation, int value) {
  return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}
void set_and_wake(std::atomic<int>& word, int value) {
  word.store(value);
  futex(word, FUTEX_WAKE, 1);
}
void sleep_until(std::atomic<int>& word, int value) {
  for (int seen = word.load(); seen != value; seen = word.load()) futex(word, FUTEX_WAIT, seen);
}
void go_there_and_back(std::int64_t round_trips) {
  std::atomic<int> there{0};
  std::atomic<int> back{0};
  std::thread other([&] {
    for (int i = 1; i <= round_trips; ++i) {
      sleep_until(there, i);
      set_and_wake(back, i);
    }
  });
  for (int i = 1; i <= round_trips; ++i) {
    set_and_wake(there, i);
    sleep_until(back, i);
  }
  other.join();
}

struct Timer {
  Timer* next;
  std::int64_t due_ms;
  void* receiver;
  std::int64_t message;
};

}  // namespace

void fan_in(int workers) {
  const auto flood = [&](std::int64_t n) {
    (workers == 1 ? fan_in_alone : fan_in_of_two)(fanin_senders * n);
  };
  result("fanin", timed(flood, fanin_messages, fanin_senders * fanin_messages));
}

void ask_from_outside(int) {
  result("outside_ask", timed(go_there_and_back, outside_asks, outside_asks));
}

void million_timers(int) {
  constexpr std::size_t slots = 4096;  // of a millisecond each: more than the longest delay
  std::vector<Timer*> wheel(slots);
  Choices choices{42};
  const double cpu = cpu_nanoseconds();
  const double bytes = resident_bytes();
  const double begin = nanoseconds();
  for (std::int64_t i = 0; i < timers; ++i) {
    const auto delay = timer_delay_ms_min + static_cast<std::int64_t>(choices.index(timer_delays));
    const auto due = static_cast<std::int64_t>(nanoseconds()) / 1'000'000 + delay;
    Timer*& slot = wheel[static_cast<std::size_t>(due) % slots];
    slot = new Timer{slot, due, nullptr, 0};
  }
  result("timers_create", (nanoseconds() - begin) / timers);
  result("timers_bytes", (resident_bytes() - bytes) / timers);
  for (Timer* slot : wheel) {
    while (slot != nullptr) delete std::exchange(slot, slot->next);
  }
  result("timers_cpu", (cpu_nanoseconds() - cpu) / timers);
}

/// A virtual machine's memory may be the host's until it is touched, at several times the cost of a
/// page fault: touched before each program, none pays for what the one before it happened to free.
void touch_memory(int) {
  constexpr std::size_t bytes = std::size_t{1} << 30;
  constexpr std::size_t page = 4096;
  void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(mapped != MAP_FAILED, "memory");
  madvise(mapped, bytes, MADV_HUGEPAGE);
  for (std::size_t at = 0; at < bytes; at += page) static_cast<volatile char*>(mapped)[at] = 1;
}

}  // namespace bench
