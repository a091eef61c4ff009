#include <troupe/supervision/restart_window.hpp>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe {

RestartWindow::RestartWindow(std::uint32_t restarts_max, Duration within)
    : restarts_max_(restarts_max), within_(within) {}

bool RestartWindow::add(TimePoint now) {
  if (detail::mutant("intensity_is_ignored")) return true;
  if (restarts_max_ == 0) return false;
  if (ring_.size() < restarts_max_) {
    ring_.push_back(now);
    return true;
  }
  // The ring is full: this is one too many if the oldest of the last restarts_max lies within the
  // window.
  if (now - ring_[next_] < within_ || detail::mutant("window_never_slides")) return false;
  ring_[next_] = now;
  next_ = (next_ + 1) % ring_.size();
  return true;
}

}  // namespace troupe
