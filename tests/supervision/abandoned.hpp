// A world on real threads in which actors get stuck, and a witness of what becomes of them.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "supervision/support.hpp"

namespace troupe::test {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

/// Lets threads wait for each other.
class Latch {
 public:
  void open() {
    {
      std::lock_guard guard(mutex_);
      is_open_ = true;
    }
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
};

template <class F>
void eventually(F condition) {
  while (!condition()) std::this_thread::yield();
}

/// What a handler that gets stuck shares with its test: it is in, it may go on.
struct Trap {
  Latch in, go_on;
  std::atomic<int> alive{0};
  std::atomic<int> stops{0};
  std::atomic<int> bad_starts{0};  ///< how many further on_starts get stuck
  std::atomic<int> cancelled{0};   ///< what an abandoned handler tried, and could not
  void spring() {
    in.open();
    go_on.wait();
  }
};
using TrapPtr = std::shared_ptr<Trap>;

struct Note {
  std::string text;
};
struct WatchIt {
  Ref<> who;
};
struct LinkIt {
  Ref<> who;
};
struct TheNotes {
  using Reply = Lines;
};
/// Writes down what it hears.
class Witness : public troupe::Actor<Note, WatchIt, LinkIt, TheNotes, Terminated, troupe::Down,
                                     troupe::Exit> {
 public:
  void receive(const Note& m) { notes_.push_back(m.text); }
  void receive(const WatchIt& m) { watch(m.who); }
  void receive(const LinkIt& m) { link(m.who); }
  void receive(const Terminated& m) { add("terminated", m.why); }
  void receive(const troupe::Down& m) { add("down", m.why); }
  void receive(const troupe::Exit& m) { add("exit", m.why); }
  Lines receive(const TheNotes&) { return notes_; }

 private:
  void add(const char* what, const troupe::ExitReason& why) {
    notes_.push_back(std::string(what) + " " + std::string(to_string(why.kind())));
  }
  Lines notes_;
};

struct GetStuck {
  using Reply = int;
};
struct TryAll {};
/// Gets stuck when told, or when it starts.
class Prone : public troupe::Actor<GetStuck, TryAll, Ping> {
 public:
  Prone(TrapPtr trap, Ref<Witness> witness) : trap_(std::move(trap)), witness_(witness) {
    ++trap_->alive;
  }
  ~Prone() override { --trap_->alive; }
  void on_start() override {
    if (trap_->bad_starts.fetch_sub(1) > 0) trap_->spring();
  }
  void on_stop(troupe::StopReason) override {
    ++trap_->stops;
    witness_.tell(Note{"told by on_stop"});
  }
  int receive(const GetStuck&) {
    trap_->spring();
    return 1;
  }
  int receive(const Ping&) { return 1; }
  void receive(const TryAll&) {
    const auto silent = spawn<Silent>();
    every("beat", 1ms, TryAll{});  // one waits when this is abandoned, or soon after
    trap_->spring();
    witness_.tell(Note{"told"});
    witness_.tell_urgent(Note{"told urgently"});
    witness_.tell_after(1ms, Note{"told later"});
    link(witness_);
    cancel_timer("beat");
    try {
      spawn<Silent>();
    } catch (const troupe::Cancelled&) {
      ++trap_->cancelled;
    }
    try {
      static_cast<void>(silent.ask(Never{}, troupe::no_timeout).try_await());
    } catch (const troupe::Cancelled&) {
      ++trap_->cancelled;
      throw;
    }
  }

 private:
  TrapPtr trap_;
  Ref<Witness> witness_;
};

/// A System on threads that abandons soon, and somebody who hears of it.
struct World {
  explicit World(Duration kill_grace = 20ms) : system(options(recorder, kill_grace)) {
    witness = system.spawn<Witness>({.name = "witness", .trap_exit = true});
  }
  static SystemOptions options(const std::shared_ptr<Recorder>& recorder, Duration kill_grace) {
    SystemOptions o = observed_by(recorder);
    o.workers = 4;
    o.kill_grace = kill_grace;
    o.log = troupe::no_log();
    return o;
  }
  Ref<Prone> spawn_prone(const troupe::SpawnOptions& o = {.name = "prone"}) {
    return system.spawn<Prone>(o, trap, witness);
  }
  void wait_abandoned(std::uint64_t n = 1) {
    eventually([&] { return system.metrics().actors_abandoned >= n; });
  }
  /// The handlers go on, and so many actors are left.
  void release(std::uint64_t actors_left) {
    trap->go_on.open();
    eventually([&] { return system.actor_count() == actors_left; });
  }
  Lines notes() { return witness.ask(TheNotes{}).await(); }
  bool has_noted(const std::string& text) {
    const Lines all = notes();
    return std::find(all.begin(), all.end(), text) != all.end();
  }
  std::size_t terminated() {
    const Lines all = notes();
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [](const auto& line) { return line.starts_with("terminated"); }));
  }
  std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
  TrapPtr trap = std::make_shared<Trap>();
  System system;
  Ref<Witness> witness;
};

}  // namespace troupe::test
