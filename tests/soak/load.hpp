// Who loads the System from outside: threads that ask and tell, and those that kill.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "soak/trees.hpp"

namespace troupe::soak {

/// Threads that do one thing again and again, and can be held.
/// Thread safety: made, held and ended by one thread.
class Crew {
 public:
  Crew() = default;
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() { end(); }

  /// One more thread: `act` is called with a random number's worth of rest between.
  void add(Random random, Duration rest_max, std::function<void(Random&)> act);
  /// Returns when none of them does anything.
  void hold();
  void go_on();
  void end();

 private:
  void work(Random random, Duration rest_max, const std::function<void(Random&)>& act);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_held_ = false;
  bool is_over_ = false;
  std::size_t busy_ = 0;
  std::vector<std::thread> threads_;
};

/// What an asker does once.
void load_once(System& system, World& world, const Garden& garden, Random& random);
/// What a killer does once.
void disturb_once(System& system, World& world, Random& random);

}  // namespace troupe::soak
