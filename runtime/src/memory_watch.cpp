#include "memory_watch.hpp"

#include <malloc.h>
#include <unistd.h>
#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "memory.hpp"
#include "system_core.hpp"

namespace troupe::detail {

namespace {

constexpr auto look_interval = std::chrono::milliseconds(50);
constexpr auto trim_interval = std::chrono::seconds(1);

}  // namespace

std::uint64_t default_memory_max() {
  const auto pages = static_cast<std::uint64_t>(std::max(sysconf(_SC_PHYS_PAGES), 0L));
  std::uint64_t most = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  if (most == 0) most = std::numeric_limits<std::uint64_t>::max();
  // cgroup v2, then v1; "max" and what v1 says without a limit are no limits.
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    std::uint64_t limit = 0;
    if (file >> limit && limit > 0) most = std::min(most, limit);
  }
  return most / 2;
}

std::uint64_t bytes_in_use() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (!(file >> total >> resident)) return 0;
  resident *= static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return resident - std::min(resident, free_block_bytes());
}

MemoryWatch::MemoryWatch(SystemCore& core)
    : core_(core),
      max_(core.options().memory_max != 0 ? core.options().memory_max : default_memory_max()),
      gauge_(core.options().memory_gauge ? core.options().memory_gauge : &bytes_in_use) {}

std::optional<TimePoint> MemoryWatch::look(TimePoint now, bool busy) {
  if (!busy && pressure() == Pressure::none) return std::nullopt;
  std::lock_guard guard(mutex_);
  if (now >= next_look_) {
    next_look_ = now + look_interval;
    std::uint64_t used = gauge_();
    if (used > max_ && now >= next_trim_) {  // what the heap keeps is no burden
      next_trim_ = now + trim_interval;
      malloc_trim(0);
      used = gauge_();
    }
    set(used > max_ + max_ / 10 ? Pressure::everybody
        : used > max_           ? Pressure::full_mailboxes
                                : Pressure::none,
        used);
  }
  return next_look_;
}

void look_at_memory(SystemCore& core) {
  if (core.options().memory_gauge) core.memory_watch().look(core.now(), true);
}

void MemoryWatch::set(Pressure pressure, std::uint64_t used) {
  const Pressure before = pressure_.exchange(pressure);
  if (before == pressure) return;
  if ((before == Pressure::none) != (pressure == Pressure::none))
    core_.memory_is_short(pressure != Pressure::none);
  const auto mib = [](std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; };
  const std::string figures = mib(used) + " in use, memory_max is " + mib(max_);
  if (pressure == Pressure::none) {
    core_.log(LogLevel::info, "system", "within the memory budget again: " + figures);
  } else if (before < pressure) {
    core_.log(LogLevel::warning, "system",
              "over the memory budget: " + figures +
                  (pressure == Pressure::everybody ? "; messages are refused"
                                                   : "; actors with much mail get no more"));
  }
}

}  // namespace troupe::detail
