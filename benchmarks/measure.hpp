// What every benchmark program does alike: time, resident memory, a latch, and the line of its
// result.
#pragma once

#include <unistd.h>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>

namespace bench {

inline double nanoseconds() {
  return static_cast<double>(std::chrono::steady_clock::now().time_since_epoch().count());
}
inline double resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  long total = 0;
  long resident = 0;
  if (file == nullptr || std::fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
  if (file != nullptr) std::fclose(file);
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}
inline void result(const char* name, double value) {
  std::printf("RESULT %s %.3f\n", name, value);
  std::fflush(stdout);
}

/// Counts down from actors, waited for by main.
class Latch {
 public:
  void reset(std::int64_t count) { left_ = count; }
  void count_down() {
    if (left_.fetch_sub(1) == 1) left_.notify_all();
  }
  void wait() {
    for (std::int64_t seen = left_; seen > 0; seen = left_) left_.wait(seen);
  }

 private:
  std::atomic<std::int64_t> left_{0};
};

/// Warms up at a tenth of the size, then runs once; nanoseconds by unit of work.
template <class F>
double timed(F f, std::int64_t size, double work) {
  f(size / 10);
  const double begin = nanoseconds();
  f(size);
  return (nanoseconds() - begin) / work;
}

// The sizes, the same for every peer.
inline constexpr std::int64_t pingpong_round_trips = 500'000;
inline constexpr std::int64_t pairs = 1'000;
inline constexpr std::int64_t pair_round_trips = 500;
inline constexpr std::int64_t fanin_senders = 100;
inline constexpr std::int64_t fanin_messages = 20'000;
inline constexpr std::int64_t ring_actors = 1'000;
inline constexpr std::int64_t ring_hops = 1'000'000;
inline constexpr std::int64_t spawned = 500'000;

}  // namespace bench
