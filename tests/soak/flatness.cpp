#include "flatness.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <memory>

#include <malloc.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#define TROUPE_SOAK_ASAN 1
#endif
#endif

namespace troupe::soak {

namespace {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double window_of(double run_minutes) {
  return std::min(Flatness::window_minutes_max, run_minutes / 3);
}

/// The samples of the window that ends with `last`; empty when it begins before the watched part.
std::vector<MemorySample> window_until(const std::vector<MemorySample>& samples, std::size_t last,
                                       double run_minutes) {
  // Samples come when the load has come to rest: the first of a window may be a moment too early.
  constexpr double slack = 0.01;
  const double begin = samples[last].minute - window_of(run_minutes) * (1 + slack);
  if (begin < run_minutes * Flatness::warm_up - window_of(run_minutes) * 2 * slack) return {};
  std::vector<MemorySample> window;
  for (std::size_t i = 0; i <= last; ++i) {
    if (samples[i].minute >= begin) window.push_back(samples[i]);
  }
  return window;
}

}  // namespace

double growth(const std::vector<MemorySample>& window) {
  if (window.size() < 2) return 0;
  std::vector<double> slopes;
  std::vector<double> sizes;
  for (std::size_t i = 0; i < window.size(); ++i) {
    sizes.push_back(window[i].bytes);
    for (std::size_t j = 0; j < i; ++j) {
      slopes.push_back((window[i].bytes - window[j].bytes) / (window[i].minute - window[j].minute));
    }
  }
  return median(slopes) * (window.back().minute - window.front().minute) / median(sizes);
}

Flatness judge(const std::vector<MemorySample>& samples, double run_minutes) {
  Flatness flatness;
  flatness.window_minutes = window_of(run_minutes);
  if (run_minutes < Flatness::run_minutes_min) return flatness;
  for (std::size_t last = 0; last < samples.size(); ++last) {
    const auto window = window_until(samples, last, run_minutes);
    if (window.empty()) continue;
    const double grew = growth(window);
    if (flatness.was_judged && grew <= flatness.worst) continue;
    flatness.worst = grew;
    flatness.worst_until = samples[last].minute;
    flatness.was_judged = true;
  }
  return flatness;
}

std::string print_table(const std::vector<MemorySample>& samples, double run_minutes) {
  std::string text = "minute  allocated MB  resident MB  growth in the window\n";
  for (std::size_t i = 0; i < samples.size(); ++i) {
    char line[80];
    std::snprintf(line, sizeof line, "%6.2f  %12.2f  %11.2f", samples[i].minute,
                  samples[i].allocated / 1e6, samples[i].bytes / 1e6);
    text += line;
    const auto window = window_until(samples, i, run_minutes);
    if (!window.empty()) {
      std::snprintf(line, sizeof line, "  %+19.3f %%", 100 * growth(window));
      text += line;
    }
    text += "\n";
  }
  return text;
}

double resident_bytes() {
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string name; file >> name;) {
    double kilobytes = 0;
    if (name == "Anonymous:" && file >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

void fill_caches_of_this_thread() {
  constexpr std::size_t blocks_max = 512;
  constexpr std::size_t kept_bytes_max = 256 * 1024;  // of one size; a sanitizer keeps half of it
  constexpr std::size_t size_max = 64 * 1024;
  std::vector<std::unique_ptr<std::byte[]>> blocks;
  blocks.reserve(blocks_max);
  for (std::size_t size = 16; size <= size_max;) {
    for (std::size_t i = 0; i < std::min(blocks_max, kept_bytes_max / size); ++i)
      blocks.push_back(std::make_unique<std::byte[]>(size));
    blocks.clear();
    size += size < 256 ? 16 : size < 1024 ? 64 : size / 8;
  }
}

void give_back_free_memory() {
#ifdef TROUPE_SOAK_ASAN
  __sanitizer_purge_allocator();
#else
  malloc_trim(0);
#endif
}

double allocated_bytes() {
#ifdef TROUPE_SOAK_ASAN
  return static_cast<double>(__sanitizer_get_current_allocated_bytes());
#else
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
#endif
}

}  // namespace troupe::soak
