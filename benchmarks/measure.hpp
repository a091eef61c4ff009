// What every benchmark program does alike: the sizes, time, resident memory, a latch, and the line
// of its result.
#pragma once

#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

namespace bench {

// The sizes, the same for every peer.
inline constexpr std::int64_t pingpong_round_trips = 500'000;
inline constexpr std::int64_t pairs = 1'000;
inline constexpr std::int64_t pair_round_trips = 500;
inline constexpr std::int64_t fanin_senders = 100;
inline constexpr std::int64_t fanin_messages = 20'000;
inline constexpr std::int64_t ring_actors = 1'000;
inline constexpr std::int64_t ring_hops = 1'000'000;
inline constexpr std::int64_t fork_actors = 60;
inline constexpr std::int64_t fork_rounds = 25'000;
inline constexpr std::int64_t increments = 2'000'000;
inline constexpr std::int64_t big_actors = 120;
inline constexpr std::int64_t big_pings = 8'000;
inline constexpr std::int64_t creatures = 100;
inline constexpr std::int64_t meetings = 250'000;
inline constexpr std::int64_t radix_stages = 59;
inline constexpr std::int64_t radix_values = 50'000;
inline constexpr std::int64_t spawned = 500'000;
inline constexpr std::int64_t named = 1'000'000;
inline constexpr std::int64_t stopped = 200'000;
inline constexpr std::int64_t created = 50'000;
inline constexpr std::int64_t suspended = 20'000;
inline constexpr std::int64_t fib_of = 27;
inline constexpr std::int64_t fib_warm_up = 18;
inline constexpr std::int64_t fib_result = 196'418;
inline constexpr std::int64_t asks = 500'000;  // of one client, or of 100 together
inline constexpr std::int64_t outside_asks = 10'000;
inline constexpr std::int64_t accounts = 1'000;
inline constexpr std::int64_t transactions = 100'000;
inline constexpr std::int64_t timers = 1'000'000;
inline constexpr std::int64_t timer_delay_ms_min = 2'000;
inline constexpr std::int64_t timer_delays = 1'000;  // from the least on, a millisecond apart
inline constexpr std::int64_t load_servers = 100;
inline constexpr double load_warm_up_s = 0.3;
inline constexpr double load_s = 1.5;

inline double nanoseconds() {
  return static_cast<double>(std::chrono::steady_clock::now().time_since_epoch().count());
}
/// Of all threads of this process.
inline double cpu_nanoseconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}
inline double resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  long total = 0;
  long resident = 0;
  if (file == nullptr || std::fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
  if (file != nullptr) std::fclose(file);
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}
inline void result(const std::string& name, double value) {
  std::printf("RESULT %s %.3f\n", name.c_str(), value);
  std::fflush(stdout);
}
/// NAME_p50, NAME_p99 and NAME_p999, in microseconds.
inline void percentiles(const std::string& name, std::vector<double> nanoseconds) {
  std::sort(nanoseconds.begin(), nanoseconds.end());
  const auto at = [&](double part) {
    return nanoseconds[static_cast<std::size_t>(part * static_cast<double>(nanoseconds.size()))];
  };
  result(name + "_p50", at(0.5) / 1e3);
  result(name + "_p99", at(0.99) / 1e3);
  result(name + "_p999", at(0.999) / 1e3);
}
/// A workload that went wrong has no result.
inline void require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "wrong: %s\n", what);
  std::_Exit(1);
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
double timed(F f, std::int64_t size, std::int64_t work) {
  f(size / 10);
  const double begin = nanoseconds();
  f(size);
  return (nanoseconds() - begin) / static_cast<double>(work);
}

/// The same choices for every peer: a linear congruential generator (Knuth, TAOCP 2, 3.3.4).
class Choices {
 public:
  explicit Choices(std::uint32_t seed) : last_(seed) {}
  std::uint32_t number() { return last_ = (last_ * 1103515245u + 12345u) & 0x7fffffffu; }
  /// Below n.
  std::size_t index(std::size_t n) { return (number() >> 8) % n; }

 private:
  std::uint32_t last_;
};
/// 59 bits, for the radix sort.
inline std::int64_t wide_number(Choices& choices) {
  const std::int64_t high = choices.number();
  return (high << 28) ^ static_cast<std::int64_t>(choices.number());
}
/// The color of both creatures after they met.
inline int complement(int mine, int theirs) {
  return mine == theirs ? mine : 3 - mine - theirs;
}

}  // namespace bench
