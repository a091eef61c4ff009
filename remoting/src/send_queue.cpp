#include "send_queue.hpp"

#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::remoting::detail {

using troupe::detail::mutant;

namespace {
/// Beyond it a frame goes in chunks.
constexpr std::size_t frame_words_max = 1 + body_words_max;
/// As many as a peer takes at a time; what is larger waits its turn.
constexpr std::size_t large_max = 64;
}  // namespace

bool SendQueue::is_full(std::size_t bytes, Carries what) const noexcept {
  if (has_room_of_its_own(what)) return signal_bytes_ + bytes > bounds_.signal_bytes_max;
  if (messages_ >= bounds_.messages_max) return true;
  const bool may_be_beyond = bytes > bounds_.bytes_max / 4 && !has_beyond_;
  return is_beyond(bytes, what) && !may_be_beyond;
}

/// So that a message that is larger than all that may wait goes at all, and shuts nobody out.
bool SendQueue::is_beyond(std::size_t bytes, Carries what) const noexcept {
  return !has_room_of_its_own(what) && message_bytes_ + bytes > bounds_.bytes_max;
}

void SendQueue::append(Frames& frames, const Entry& entry, std::span<const Word> words) {
  if (frames.begin > frames.words.size() / 2) {  // what has gone
    frames.words.erase(frames.words.begin(),
                       frames.words.begin() + static_cast<std::ptrdiff_t>(frames.begin));
    frames.begin = 0;
  }
  frames.entries.push_back(entry);
  frames.words.insert(frames.words.end(), words.begin(), words.end());
}

SendQueue::Pushed SendQueue::push(const Pair& pair, std::span<const Word> frame, Carries what) {
  const std::lock_guard guard(mutex_);
  const std::size_t bytes = frame.size_bytes();
  if (is_full(bytes, what)) return Pushed::full;
  if (what == Carries::message &&
      !credit_.waits(pair, bytes, bounds_.messages_max, bounds_.bytes_max))
    return Pushed::full;
  const Entry entry{pair, frame.size(), what, is_beyond(bytes, what)};
  append(pushed_, entry, frame);
  if (has_room_of_its_own(what)) {
    signal_bytes_ += bytes;
  } else {
    ++messages_;
    has_beyond_ = has_beyond_ || entry.is_beyond;
    if (!entry.is_beyond) message_bytes_ += bytes;
  }
  return std::exchange(is_idle_, false) ? Pushed::first : Pushed::behind;
}

SendQueue::Pushed SendQueue::push_control(std::span<const Word> frame) {
  const std::lock_guard guard(mutex_);
  if (control_.size() * sizeof(Word) + frame.size_bytes() > bounds_.control_bytes_max)
    return Pushed::full;
  control_.insert(control_.end(), frame.begin(), frame.end());
  return std::exchange(is_idle_, false) ? Pushed::first : Pushed::behind;
}

void SendQueue::give_back(const Pair& pair, std::size_t bytes) {
  bool all_may_go = false;
  {
    const std::lock_guard guard(mutex_);
    const bool was_used_up = credit_.is_used_up();
    credit_.give_back(pair, bytes);
    all_may_go = was_used_up && !credit_.is_used_up();
  }
  if (all_may_go) {
    for (auto& [of, s] : held_) give_turn(of, s);
  } else if (const auto held = held_.find(pair); held != held_.end()) {
    give_turn(pair, held->second);
  }
}

std::pair<SendQueue::Entry, std::span<const Word>> SendQueue::take_first(Frames& frames) {
  const Entry entry = frames.entries.front();
  const auto words = std::span<const Word>(frames.words).subspan(frames.begin, entry.words);
  frames.entries.pop_front();
  frames.begin += entry.words;
  return {entry, words};
}

/// It is in the batch: there is room for another. With the lock.
void SendQueue::sent(const Entry& entry) {
  if (has_room_of_its_own(entry.what)) {
    signal_bytes_ -= entry.words * sizeof(Word);
  } else {
    --messages_;
    has_beyond_ = has_beyond_ && !entry.is_beyond;
    if (!entry.is_beyond) message_bytes_ -= entry.words * sizeof(Word);
  }
}

/// With the lock.
bool SendQueue::may_go(const Entry& entry, bool all_the_same) {
  return entry.what != Carries::message ||
         credit_.goes(entry.pair, entry.words * sizeof(Word), all_the_same);
}

std::span<const Word> SendQueue::next_batch() {
  batch_.clear();
  {
    const std::lock_guard guard(mutex_);
    batch_.swap(control_);
    if (taken_.entries.empty()) {
      taken_.words.clear();
      taken_.begin = 0;
      std::swap(taken_, pushed_);
    }
    is_idle_ = batch_.empty() && taken_.entries.empty() && turns_.empty();
    if (is_idle_) return {};
  }
  take_frames();
  take_turns();
  if (batch_.empty()) return next_batch();  // all that was taken waits
  return batch_;
}

void SendQueue::take_frames() {
  while (!taken_.entries.empty() && !batch_is_full()) {
    if (must_wait(taken_.entries.front())) {
      const auto [entry, words] = take_first(taken_);
      hold(entry, words);
    } else {
      take_small_frames();
    }
  }
}

bool SendQueue::must_wait(const Entry& entry) const {
  const bool is_behind = held_.contains(entry.pair) && !mutant("small_frame_overtakes_its_pair");
  return is_behind || entry.words > frame_words_max;
}

/// Some at a time, so that the lock is taken seldom and not held for long.
void SendQueue::take_small_frames() {
  constexpr int at_a_time = 64;
  const std::lock_guard guard(mutex_);
  for (int i = 0; i < at_a_time && !taken_.entries.empty() && !batch_is_full(); ++i) {
    if (must_wait(taken_.entries.front())) return;
    const auto [entry, words] = take_first(taken_);
    if (!may_go(entry, false)) {
      hold(entry, words);
      return;
    }
    batch_.insert(batch_.end(), words.begin(), words.end());
    sent(entry);
  }
}

void SendQueue::hold(const Entry& entry, std::span<const Word> words) {
  const auto [held, is_new] = held_.try_emplace(entry.pair);
  SubStream& s = held->second;
  append(s.behind, entry, words);
  const bool hurries = entry.what == Carries::answer || entry.what == Carries::signal;
  if (hurries && !mutant("signals_wait_for_credit")) s.free_of_credit = s.behind.entries.size();
  if (is_new || hurries) give_turn(entry.pair, s);
}

void SendQueue::give_turn(const Pair& pair, SubStream& s) {
  if (!std::exchange(s.has_turn, true)) turns_.push_back(pair);
}

/// One of each.
void SendQueue::take_turns() {
  for (std::size_t left = turns_.size(); left > 0 && !batch_is_full(); --left) {
    const Pair pair = turns_.front();
    turns_.pop_front();
    const auto held = held_.find(pair);
    SubStream& s = held->second;
    s.has_turn = take_some(s);
    if (s.has_turn) {
      turns_.push_back(pair);
    } else if (s.behind.entries.empty()) {
      held_.erase(held);
    }
  }
}

/// A chunk, or what may go up to the next one. True: more may go then.
bool SendQueue::take_some(SubStream& s) {
  while (!batch_is_full()) {
    if (s.large) {
      if (s.large->append_next(batch_)) return true;
      s.large.reset();
      --larges_;
      const std::lock_guard guard(mutex_);
      sent(s.of_large);
      continue;
    }
    if (s.behind.entries.empty()) return false;
    const bool is_large = s.behind.entries.front().words > frame_words_max;
    if (is_large && larges_ >= large_max) return true;
    {
      const std::lock_guard guard(mutex_);
      const Entry& first = s.behind.entries.front();
      if (!may_go(first, s.free_of_credit > 0)) return false;
      if (!is_large) sent(first);
    }
    if (s.free_of_credit > 0) --s.free_of_credit;
    const auto [entry, words] = take_first(s.behind);
    if (is_large) {
      s.large.emplace(streams_++, std::vector<Word>{words.begin(), words.end()});
      s.of_large = entry;
      ++larges_;
    } else {
      batch_.insert(batch_.end(), words.begin(), words.end());
    }
  }
  return true;
}

std::vector<Pair> SendQueue::unsent() const {
  const std::lock_guard guard(mutex_);
  std::vector<Pair> pairs;
  const auto add = [&](const Entry& entry) {
    if (!has_room_of_its_own(entry.what)) pairs.push_back(entry.pair);
  };
  for (const auto& [pair, s] : held_) {
    if (s.large) add(s.of_large);
    for (const Entry& entry : s.behind.entries) add(entry);
  }
  for (const Entry& entry : taken_.entries) add(entry);
  for (const Entry& entry : pushed_.entries) add(entry);
  return pairs;
}

std::size_t SendQueue::messages() const {
  const std::lock_guard guard(mutex_);
  return messages_;
}
std::size_t SendQueue::bytes() const {
  const std::lock_guard guard(mutex_);
  return message_bytes_ + signal_bytes_;
}
std::size_t SendQueue::untaken_bytes() const {
  const std::lock_guard guard(mutex_);
  return credit_.spent();
}

}  // namespace troupe::remoting::detail
