#include <troupe/supervision/backoff.hpp>

#include <algorithm>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe {

Duration Backoff::delay(std::uint32_t n, double random) const noexcept {
  Duration base = min;
  for (std::uint32_t i = 0; i < n && base < max && !detail::mutant("backoff_does_not_grow"); ++i)
    base = base > max / 2 ? max : base * 2;
  base = std::min(base, max);
  return base +
         Duration{static_cast<std::int64_t>(static_cast<double>(base.count()) * random * jitter)};
}

Duration Backoff::quiet_time() const noexcept {
  return reset_after != Duration::zero() ? reset_after : (min + max) / 2;
}

}  // namespace troupe
