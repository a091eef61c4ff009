#include "locked_lane.hpp"

#include <algorithm>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

#include "../ask_slots.hpp"

namespace troupe::detail {

namespace {
constexpr std::uint32_t priority_max = 255;  // each has a queue of its own
}

LockedLane::LockedLane(MailboxOptions options) : options_(std::move(options)) {
  if (options_.on_full == Overflow::redirect && !options_.redirect_to)
    throw UsageError("MailboxOptions: on_full = redirect needs redirect_to");
  if (options_.on_full == Overflow::transform && options_.transforms.empty())
    throw UsageError("MailboxOptions: on_full = transform needs transforms");
  std::uint32_t lanes = 1;
  for (const Priority& p : options_.priorities) {
    if (p.value > priority_max)
      throw UsageError("MailboxOptions: a priority is at most " + std::to_string(priority_max) +
                       ", not " + std::to_string(p.value));
    lanes = std::max(lanes, p.value + 2);
  }
  lanes_.resize(lanes);
}

std::deque<LockedLane::Item>& LockedLane::lane_of(const MessageType* type) {
  for (const Priority& p : options_.priorities) {
    if (same_type(p.type, type) && !mutant("priorities_are_ignored")) return lanes_[p.value];
  }
  return lanes_.back();
}

LockedLane::Put LockedLane::put(Envelope* e, Envelope*& left) {
  std::lock_guard guard(mutex_);
  if (closed_) return Put::closed;
  Put result = Put::in;
  if (is_full() && !mutant("mailbox_without_bound")) {
    if (options_.on_full != Overflow::drop_old || mutant("drop_old_drops_new")) return Put::full;
    left = drop_oldest();
    result = Put::displaced;
  }
  lane_of(e->type).push_back({e, true});
  ++counted_;
  return result;
}

/// Those who gave up leave the line, although nothing is taken.
void LockedLane::sweep_line(std::vector<Envelope*>& late) {
  std::erase_if(waiting_, [&](const Left& left) {
    const bool is_over = left.waiter.slot->is_over(left.waiter.generation);
    if (is_over) late.push_back(left.envelope);
    return is_over;
  });
  sweep_line_at_ = 16 + 2 * waiting_.size();
}

LockedLane::Put LockedLane::put_or_wait(Envelope* e, const RequestPort& waiter,
                                        std::vector<Envelope*>& late) {
  std::lock_guard guard(mutex_);
  if (closed_) return Put::closed;
  if (is_full()) {
    if (waiting_.size() >= sweep_line_at_) sweep_line(late);
    waiting_.push_back({e, waiter});
    return Put::full;
  }
  lane_of(e->type).push_back({e, true});
  ++counted_;
  return Put::in;
}

Envelope* LockedLane::drop_oldest() {
  for (auto lane = lanes_.rbegin(); lane != lanes_.rend(); ++lane) {
    const auto oldest =
        std::find_if(lane->begin(), lane->end(), [](const Item& i) { return i.is_counted; });
    if (oldest == lane->end()) continue;
    Envelope* e = oldest->envelope;
    lane->erase(oldest);
    --counted_;
    return e;
  }
  return nullptr;
}

LockedLane::Put LockedLane::put_uncounted(Envelope* e) {
  std::lock_guard guard(mutex_);
  if (closed_) return Put::closed;
  lanes_.back().push_back({e, false});
  return Put::in;
}

void LockedLane::append(Envelope* e) {
  std::lock_guard guard(mutex_);
  lanes_.back().push_back({e, false});
}

Envelope* LockedLane::take(RequestPort& admitted, std::vector<Envelope*>& late) {
  std::lock_guard guard(mutex_);
  for (auto& lane : lanes_) {
    if (lane.empty()) continue;
    const Item item = lane.front();
    lane.pop_front();
    if (!item.is_counted) return item.envelope;
    --counted_;
    while (!waiting_.empty()) {
      if (mutant("sender_jumps_the_line")) std::swap(waiting_.front(), waiting_.back());
      const Left next = waiting_.front();
      waiting_.pop_front();
      if (!win_slot(next.waiter)) {
        late.push_back(next.envelope);
        continue;
      }
      lane_of(next.envelope->type).push_back({next.envelope, true});
      ++counted_;
      admitted = next.waiter;
      break;
    }
    return item.envelope;
  }
  return nullptr;
}

const MessageType* LockedLane::next_type() const {
  std::lock_guard guard(mutex_);
  for (const auto& lane : lanes_) {
    if (!lane.empty()) return lane.front().envelope->type;
  }
  return nullptr;
}

bool LockedLane::empty() const {
  return next_type() == nullptr;
}

std::vector<LockedLane::Left> LockedLane::close() {
  std::lock_guard guard(mutex_);
  closed_ = true;
  std::vector<Left> all;
  for (auto& lane : lanes_) {
    for (const Item& item : std::exchange(lane, {})) all.push_back({item.envelope, {}});
  }
  for (const Left& waiting : std::exchange(waiting_, {})) all.push_back(waiting);
  return all;
}

void LockedLanes::add(std::uint32_t serial, std::shared_ptr<LockedLane> lane) {
  Shard& s = shards_[serial % shards_.size()];
  std::lock_guard guard(s.mutex);
  s.lanes.emplace(serial, std::move(lane));
}

void LockedLanes::remove(std::uint32_t serial) {
  Shard& s = shards_[serial % shards_.size()];
  std::lock_guard guard(s.mutex);
  s.lanes.erase(serial);
}

std::shared_ptr<LockedLane> LockedLanes::find(std::uint32_t serial) const {
  const Shard& s = shard(serial);
  std::lock_guard guard(s.mutex);
  const auto found = s.lanes.find(serial);
  return found == s.lanes.end() ? nullptr : found->second;
}

}  // namespace troupe::detail
