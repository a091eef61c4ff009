#include "waiting_line.hpp"

#include <algorithm>
#include <utility>

namespace troupe::remoting::detail {

void WaitingLines::tell(const Left& left) noexcept {
  for (const InLine& l : left) l.frame.empty() ? l.waiter->taken() : l.waiter->dropped(false);
}

bool WaitingLines::has(const Pair& pair, Left& left) {
  if (lines_.empty()) return false;
  const auto found = lines_.find(pair);
  if (found == lines_.end()) return false;
  drop_first(found->second, left);
  if (!found->second.all.empty()) return true;
  lines_.erase(found);
  return false;
}

void WaitingLines::add(const Pair& pair, InLine last, Left& left) {
  Line& line = lines_[pair];
  if (line.all.size() >= line.sweep_at) {
    sweep(line, left);
    line.sweep_at = std::max<std::size_t>(16, 2 * line.all.size());
  }
  line.all.push_back(std::move(last));
}

void WaitingLines::drop_first(Line& line, Left& left) {
  for (; !line.all.empty() && line.all.front().waiter->is_over(); line.all.pop_front())
    left.push_back(std::move(line.all.front()));
}

void WaitingLines::sweep(Line& line, Left& left) {
  std::deque<InLine> rest;
  for (InLine& l : line.all) {
    if (l.waiter->is_over()) {
      left.push_back(std::move(l));
    } else {
      rest.push_back(std::move(l));
    }
  }
  line.all.swap(rest);
}

void WaitingLines::sweep(Left& left) {
  for (auto& [pair, line] : lines_) sweep(line, left);
  std::erase_if(lines_, [](const auto& l) { return l.second.all.empty(); });
}

std::vector<std::unique_ptr<Waiter>> WaitingLines::clear() {
  std::vector<std::unique_ptr<Waiter>> waiters;
  for (auto& [pair, line] : std::exchange(lines_, {}))
    for (InLine& l : line.all) waiters.push_back(std::move(l.waiter));
  return waiters;
}

}  // namespace troupe::remoting::detail
