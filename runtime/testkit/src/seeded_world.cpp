#include <troupe/testkit/seeded_world.hpp>

#include <algorithm>

namespace troupe::testkit {

SeededWorld::SeededWorld(std::uint64_t seed) : random_(seed) {}

void SeededWorld::add(StepSource& source) {
  sources_.push_back(&source);
}
void SeededWorld::remove(StepSource& source) {
  std::erase(sources_, &source);
}

void SeededWorld::note(std::string_view text) noexcept {
  for (const char c : text) note(static_cast<unsigned char>(c));
}

bool SeededWorld::look() {
  bool did_something = false;
  for (StepSource* source : sources_) did_something = source->look() || did_something;
  return did_something;
}

bool SeededWorld::step() {
  std::size_t choices = 0;
  for (StepSource* source : sources_) choices += source->choices();
  if (choices == 0) return false;
  std::size_t choice = random_.below(static_cast<std::uint32_t>(choices));
  for (StepSource* source : sources_) {
    const std::size_t own = source->choices();
    if (choice < own) {
      source->step(choice);
      break;
    }
    choice -= own;
  }
  return true;
}

std::optional<TimePoint> SeededWorld::next_wake() {
  std::optional<TimePoint> first;
  for (StepSource* source : sources_) {
    const auto wake = source->next_wake();
    if (wake && (!first || *wake < *first)) first = wake;
  }
  return first;
}

void SeededWorld::run(const std::function<bool()>& over, TimePoint deadline) {
  while (!over()) {
    if (look() || step()) continue;
    const auto wake = next_wake();
    if (!wake || *wake > deadline) {
      if (deadline != TimePoint::max()) clock_->move_to(deadline);
      look();
      return;
    }
    clock_->move_to(*wake);
    note(static_cast<std::uint64_t>(wake->time_since_epoch().count()));
    for (StepSource* source : sources_) {
      const auto due = source->next_wake();
      if (due && *due <= clock_->now()) source->wake(clock_->now());
    }
  }
}

}  // namespace troupe::testkit
