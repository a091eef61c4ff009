// The floor's workloads, and the mailbox they share: what any runtime must pay at least.
#pragma once

#include <atomic>
#include <cstdint>

#include "../../measure.hpp"

namespace bench {

struct Actor;
struct Message {
  std::atomic<Message*> next{nullptr};
  std::int64_t tag = 0;  // what a message is, as all peers carry it
  std::int64_t value = 0;
  Actor* from = nullptr;
};

/// An intrusive multi-producer queue (Vyukov's). push: any thread; pop: one thread.
class Mailbox {
 public:
  void push(Message* m) {
    m->next.store(nullptr, std::memory_order_relaxed);
    Message* before = last_.exchange(m, std::memory_order_acq_rel);
    before->next.store(m, std::memory_order_release);
  }
  Message* pop() {
    Message* first = first_;
    Message* next = first->next.load(std::memory_order_acquire);
    if (first == &stub_) {
      if (next == nullptr) return nullptr;
      first_ = first = next;
      next = next->next.load(std::memory_order_acquire);
    }
    if (next == nullptr) {
      if (first != last_.load(std::memory_order_acquire)) return nullptr;
      push(&stub_);
      next = first->next.load(std::memory_order_acquire);
      if (next == nullptr) return nullptr;
    }
    first_ = next;
    return first;
  }

 private:
  Message stub_;
  std::atomic<Message*> last_{&stub_};
  Message* first_ = &stub_;
};

// core.cpp: one thread that runs actors
void ping_pong(int workers);
void many_pairs(int workers);
void ring(int workers);
void spawn(int workers);
void stop(int workers);
// machine.cpp: what has no actors at all
void fan_in(int workers);
void ask_from_outside(int workers);
void million_timers(int workers);
void touch_memory(int);

}  // namespace bench
