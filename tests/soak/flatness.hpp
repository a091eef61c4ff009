// Whether the resident memory of a long run stays flat.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace troupe::soak {

/// The resident memory at one moment.
struct MemorySample {
  double minute;  ///< since the beginning
  double bytes;
  double allocated = 0;  ///< of these, what `new` and `malloc` have given out and not got back
};

/// By how much the middle of a window's samples grows from its one end to the other, as a share of
/// them: the median of the slopes of all pairs (Theil 1950; Sen 1968), which a single outlier does
/// not move.
[[nodiscard]] double growth(const std::vector<MemorySample>& window);

/// The watched part of a run, and the most that memory grew in any window of it.
struct Flatness {
  static constexpr double growth_max = 0.01;
  static constexpr double window_minutes_max = 10;
  static constexpr double warm_up = 1.0 / 3;  ///< of a run, which is not judged
  /// A shorter run says nothing: it takes four minutes until the free lists and the heaps of
  /// threads have their size, and the watched part begins after a third.
  static constexpr double run_minutes_min = 15;

  double window_minutes = 0;
  double worst = 0;
  double worst_until = 0;  ///< the minute at which that window ends
  bool was_judged = false;
  [[nodiscard]] bool is_flat() const noexcept { return !was_judged || worst < growth_max; }
};

/// Leaves out the first third of the run, in which everything grows to its size, and looks at each
/// window of the rest: ten minutes, or a third of a run that is shorter than half an hour.
[[nodiscard]] Flatness judge(const std::vector<MemorySample>& samples, double run_minutes);

/// A line for each sample, with the growth of the window that ends there.
[[nodiscard]] std::string print_table(const std::vector<MemorySample>& samples, double run_minutes);

/// Takes many blocks of each size and frees them, so that what the allocator keeps for this thread
/// is as much as it ever keeps: else its caches grow for hours by chance.
void fill_caches_of_this_thread();
/// What the allocator keeps of freed blocks goes back to the machine.
void give_back_free_memory();
/// What the process itself has in memory, in bytes: its anonymous pages. Those of its files are the
/// kernel's cache, which shrinks when the machine needs room, and grows back.
[[nodiscard]] double resident_bytes();
/// What the program holds of the heap, in bytes. Beside the resident size it tells whether the
/// program grows or the allocator (a sanitizer's keeps notes of its own).
[[nodiscard]] double allocated_bytes();

}  // namespace troupe::soak
