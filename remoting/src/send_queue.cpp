#include "send_queue.hpp"

#include <algorithm>
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

bool SendQueue::is_full(std::size_t bytes, bool is_signal) const noexcept {
  if (is_signal) return signal_bytes_ + bytes > bounds_.signal_bytes_max;
  if (messages_ >= bounds_.messages_max) return true;
  return message_bytes_ > 0 && message_bytes_ + bytes > bounds_.bytes_max;
}

void SendQueue::append(Frames& frames, const Entry& entry, std::span<const Word> words) {
  frames.entries.push_back(entry);
  frames.words.insert(frames.words.end(), words.begin(), words.end());
}

SendQueue::Pushed SendQueue::push(const Pair& pair, std::span<const Word> frame, bool is_signal) {
  const std::lock_guard guard(mutex_);
  if (is_full(frame.size_bytes(), is_signal)) return Pushed::full;
  append(pushed_, {pair, frame.size(), is_signal}, frame);
  if (is_signal) {
    signal_bytes_ += frame.size_bytes();
  } else {
    ++messages_;
    message_bytes_ += frame.size_bytes();
  }
  return std::exchange(is_idle_, false) ? Pushed::first : Pushed::behind;
}

SendQueue::Pushed SendQueue::push_control(std::span<const Word> frame) {
  const std::lock_guard guard(mutex_);
  control_.insert(control_.end(), frame.begin(), frame.end());
  return std::exchange(is_idle_, false) ? Pushed::first : Pushed::behind;
}

std::pair<SendQueue::Entry, std::span<const Word>> SendQueue::take_first(Frames& frames) {
  const Entry entry = frames.entries.front();
  const auto words = std::span<const Word>(frames.words).subspan(frames.begin, entry.words);
  frames.entries.pop_front();
  frames.begin += entry.words;
  return {entry, words};
}

/// It is in the batch: there is room for another.
void SendQueue::sent(const Entry& entry) {
  const std::lock_guard guard(mutex_);
  if (entry.is_signal) {
    signal_bytes_ -= entry.words * sizeof(Word);
  } else {
    --messages_;
    message_bytes_ -= entry.words * sizeof(Word);
  }
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
    is_idle_ = batch_.empty() && taken_.entries.empty() && large_.empty();
    if (is_idle_) return {};
  }
  take_frames();
  take_chunks();
  if (batch_.empty()) return next_batch();  // all that was taken waits behind large frames
  return batch_;
}

void SendQueue::take_frames() {
  while (!taken_.entries.empty() && !batch_is_full()) {
    const Entry& first = taken_.entries.front();
    const auto ahead = std::find_if(large_.begin(), large_.end(),
                                    [&](const Large& large) { return large.pair == first.pair; });
    const bool is_large = first.words > frame_words_max;
    if (is_large && ahead == large_.end() && large_.size() >= large_max) return;
    const auto [entry, words] = take_first(taken_);
    if (ahead != large_.end() && !mutant("small_frame_overtakes_its_pair")) {
      append(ahead->behind, entry, words);
    } else if (is_large) {
      large_.push_back({entry.pair,
                        entry.is_signal,
                        entry.words,
                        ChunkWriter{streams_++, {words.begin(), words.end()}},
                        {}});
    } else {
      batch_.insert(batch_.end(), words.begin(), words.end());
      sent(entry);
    }
  }
}

/// One of each.
void SendQueue::take_chunks() {
  for (std::size_t left = large_.size(); left > 0 && !batch_is_full(); --left) {
    Large large = std::move(large_.front());
    large_.pop_front();
    if (large.writer.append_next(batch_)) {
      large_.push_back(std::move(large));
    } else {
      sent({large.pair, large.words, large.is_signal});
      release_behind(large);
    }
  }
}

/// What waited behind it comes next, before all that was taken later.
void SendQueue::release_behind(Large& large) {
  while (!taken_.entries.empty()) {
    const auto [entry, words] = take_first(taken_);
    append(large.behind, entry, words);
  }
  taken_ = std::move(large.behind);
}

std::vector<Pair> SendQueue::unsent() const {
  const std::lock_guard guard(mutex_);
  std::vector<Pair> pairs;
  const auto add = [&](const Frames& frames) {
    for (const Entry& entry : frames.entries)
      if (!entry.is_signal) pairs.push_back(entry.pair);
  };
  for (const Large& large : large_) {
    if (!large.is_signal) pairs.push_back(large.pair);
    add(large.behind);
  }
  add(taken_);
  add(pushed_);
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

}  // namespace troupe::remoting::detail
