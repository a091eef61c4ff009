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

/// Of the room for all: so much less than all that a pair without credit has its share.
constexpr std::size_t for_all(std::size_t bound, SendQueue::Room room) noexcept {
  return bound - bound / share_without_credit * static_cast<std::size_t>(room);
}
/// Of the bounds that a pair's share is reckoned from.
constexpr std::size_t for_pair(std::size_t bound, SendQueue::Room room) noexcept {
  return bound >> static_cast<int>(room);
}

template <class T>
void forget_first(std::vector<T>& all, std::size_t& count) {
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
  count = 0;
}
}  // namespace

void SendQueue::Load::add(const Entry& entry) noexcept {
  const std::size_t bytes = entry.words * sizeof(Word);
  if (has_room_of_its_own(entry.what)) {
    signal_bytes += bytes;
    return;
  }
  ++messages;
  if (entry.is_beyond) {
    ++beyond;
  } else {
    message_bytes += bytes;
  }
}

SendQueue::Load& SendQueue::Load::operator-=(const Load& gone) noexcept {
  messages -= gone.messages;
  message_bytes -= gone.message_bytes;
  signal_bytes -= gone.signal_bytes;
  beyond -= gone.beyond;
  return *this;
}

/// It is held for so short that who would sleep for it spins instead.
std::unique_lock<std::mutex> SendQueue::lock() const {
  constexpr int spins_max = 100;
  for (int i = 0; i < spins_max; ++i)
    if (std::unique_lock held(mutex_, std::try_to_lock); held) return held;
  return std::unique_lock(mutex_);
}

bool SendQueue::is_full(std::size_t bytes, Carries what, Room room) const noexcept {
  if (has_room_of_its_own(what)) return waiting_.signal_bytes + bytes > bounds_.signal_bytes_max;
  if (waiting_.messages >= for_all(bounds_.messages_max, room)) return true;
  const bool may_be_beyond = bytes > bounds_.bytes_max / 4 && waiting_.beyond == 0;
  return waiting_.message_bytes + bytes > for_all(bounds_.bytes_max, room) && !may_be_beyond;
}

/// So that a message that is larger than all that may wait goes at all, and shuts nobody out.
bool SendQueue::is_beyond(std::size_t bytes, Carries what) const noexcept {
  return !has_room_of_its_own(what) && waiting_.message_bytes + bytes > bounds_.bytes_max;
}

void SendQueue::Frames::append(const Entry& entry, std::span<const Word> frame) {
  if (first > entries.size() / 2) {
    forget_first(entries, first);
    forget_first(words, begin);
  }
  entries.push_back(entry);
  words.insert(words.end(), frame.begin(), frame.end());
}

void SendQueue::Frames::append_large(const Entry& entry, std::vector<Word> frame) {
  append(entry, {});
  larges.push_back(std::move(frame));
}

std::vector<Word> SendQueue::Frames::take_large() noexcept {
  ++first;
  std::vector<Word> frame = std::move(larges.front());
  larges.pop_front();
  return frame;
}

std::pair<SendQueue::Entry, std::span<const Word>> SendQueue::Frames::take_first() noexcept {
  const Entry entry = entries[first++];
  const auto frame = std::span<const Word>(words).subspan(begin, entry.words);
  begin += entry.words;
  return {entry, frame};
}

void SendQueue::Frames::clear() noexcept {
  entries.clear();
  larges.clear();
  words.clear();
  first = begin = 0;
}

/// With the lock.
bool SendQueue::has_room(const Pair& pair, std::size_t bytes, Carries what, Room room,
                         CreditLeft::OfPair*& credit) {
  if (is_full(bytes, what, room)) return false;
  if (what != Carries::message) return true;
  credit = credit_.room_for(pair, bytes, for_pair(bounds_.messages_max, room),
                            for_pair(bounds_.bytes_max, room),
                            room != Room::all && !mutant("room_is_for_one_only"));
  return credit != nullptr;
}

/// With the lock. False: it has no room.
bool SendQueue::take(const Pair& pair, std::span<const Word> frame, Carries what, Room room,
                     std::vector<Word>* owner) {
  const std::size_t bytes = frame.size_bytes();
  CreditLeft::OfPair* credit = nullptr;
  if (!has_room(pair, bytes, what, room, credit)) return false;
  if (credit != nullptr) CreditLeft::waits(*credit, bytes);
  const Entry entry{pair, credit, frame.size(), what, is_beyond(bytes, what)};
  if (frame.size() <= frame_words_max) {
    pushed_.append(entry, frame);
  } else {
    pushed_.append_large(entry, owner != nullptr ? std::move(*owner)
                                                 : std::vector<Word>{frame.begin(), frame.end()});
  }
  waiting_.add(entry);
  return true;
}

SendQueue::Pushed SendQueue::push(const Pair& pair, std::span<const Word> frame, Carries what,
                                  Room room) {
  return push(pair, frame, what, room, nullptr);
}
SendQueue::Pushed SendQueue::push(const Pair& pair, std::vector<Word>& frame, Carries what,
                                  Room room) {
  return push(pair, frame, what, room, &frame);
}

/// With the lock.
SendQueue::Pushed SendQueue::pushed() noexcept {
  return std::exchange(is_idle_, false) ? Pushed::first : Pushed::behind;
}

SendQueue::Pushed SendQueue::push(const Pair& pair, std::span<const Word> frame, Carries what,
                                  Room room, std::vector<Word>* owner) {
  WaitingLines::Left left;
  Pushed outcome = Pushed::full;
  {
    const auto held = lock();
    if (is_closed_) return Pushed::closed;
    const bool overtakes = what == Carries::message && in_line_.has(pair, left) &&
                           !mutant("what_waits_for_room_is_overtaken");
    if (!overtakes && take(pair, frame, what, room, owner)) outcome = pushed();
  }
  WaitingLines::tell(left);
  return outcome;
}

SendQueue::Pushed SendQueue::wait_in_line(const Pair& pair, std::vector<Word> frame,
                                          std::unique_ptr<Waiter> waiter) {
  WaitingLines::Left left;
  Pushed outcome = Pushed::full;
  {
    const auto held = lock();
    if (is_closed_) return Pushed::closed;
    if (!in_line_.has(pair, left) && take(pair, frame, Carries::message, Room::some_left, &frame)) {
      outcome = pushed();
    } else {
      in_line_.add(pair, {std::move(frame), std::move(waiter)}, left);
    }
  }
  WaitingLines::tell(left);
  return outcome;
}

SendQueue::Pushed SendQueue::push_control(std::span<const Word> frame) {
  const auto held = lock();
  if (is_closed_) return Pushed::closed;
  if (control_.size() * sizeof(Word) + frame.size_bytes() > bounds_.control_bytes_max)
    return Pushed::full;
  control_.insert(control_.end(), frame.begin(), frame.end());
  return pushed();
}

void SendQueue::give_back(const Pair& pair, std::size_t bytes) {
  bool all_may_go = false;
  {
    const auto held = lock();
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

bool SendQueue::may_go(const Entry& entry, bool all_the_same) noexcept {
  return entry.credit == nullptr ||
         credit_.goes(*entry.credit, entry.words * sizeof(Word), all_the_same);
}

/// It is in the batch.
void SendQueue::goes(const Entry& entry) {
  gone_.add(entry);
  if (entry.credit == nullptr) return;
  if (gone_rows_.empty() || gone_rows_.back().of != entry.credit)
    gone_rows_.push_back({.of = entry.credit});
  CreditLeft::Row& row = gone_rows_.back();
  const std::size_t bytes = entry.words * sizeof(Word);
  ++row.messages;
  row.bytes += bytes;
  row.credit += credit_of(bytes);
}

/// There is room for others.
std::span<const Word> SendQueue::settled(std::span<const Word> batch) {
  WaitingLines::Left left;
  {
    const auto held = lock();
    waiting_ -= std::exchange(gone_, {});
    for (const CreditLeft::Row& row : gone_rows_) CreditLeft::gone(row);
    gone_rows_.clear();
    in_line_.admit(
        [this](const Pair& pair, const std::vector<Word>& frame) {
          CreditLeft::OfPair* credit = nullptr;
          return has_room(pair, frame.size() * sizeof(Word), Carries::message, Room::more_left,
                          credit);
        },
        [this](const Pair& pair, std::vector<Word>& frame) {
          return take(pair, frame, Carries::message, Room::more_left, &frame);
        },
        left);
  }
  WaitingLines::tell(left);
  return batch;
}

void SendQueue::sweep() {
  WaitingLines::Left left;
  {
    const auto held = lock();
    in_line_.sweep(left);
  }
  WaitingLines::tell(left);
}

bool SendQueue::has_little(std::size_t bytes) const {
  if (!turns_.empty() || !taken_.is_empty()) return false;
  const auto held = lock();
  const std::size_t gathered = pushed_.words.size() * sizeof(Word);
  return gathered > 0 && gathered < bytes && pushed_.larges.empty();
}

std::span<const Word> SendQueue::next_batch() {
  batch_.clear();
  {
    const auto held = lock();
    batch_.swap(control_);
    if (taken_.is_empty()) {
      taken_.clear();
      std::swap(taken_, pushed_);
    }
    is_idle_ = batch_.empty() && taken_.is_empty() && turns_.empty();
    if (is_idle_) return {};
  }
  if (batch_.empty() && turns_.empty()) {
    if (const auto run = take_run(); !run.empty()) return settled(run);
  }
  take_frames();
  take_turns();
  if (batch_.empty()) return next_batch();  // all that was taken waits
  return settled(batch_);
}

/// The first frames of those that were taken, where they lie.
std::span<const Word> SendQueue::take_run() {
  const std::size_t begin = taken_.begin;
  const std::size_t words_max = bounds_.batch_bytes / sizeof(Word);
  while (!taken_.is_empty() && taken_.begin - begin < words_max) {
    const Entry& first = taken_.front();
    if (must_wait(first) || !may_go(first, false)) break;
    goes(first);
    taken_.take_first();
  }
  return std::span<const Word>(taken_.words).subspan(begin, taken_.begin - begin);
}

void SendQueue::take_frames() {
  while (!taken_.is_empty() && !batch_is_full()) {
    if (must_wait(taken_.front()) || !may_go(taken_.front(), false)) {
      hold_first();
    } else {
      const auto [entry, words] = taken_.take_first();
      batch_.insert(batch_.end(), words.begin(), words.end());
      goes(entry);
    }
  }
}

bool SendQueue::must_wait(const Entry& entry) const {
  const bool is_behind =
      !held_.empty() && held_.contains(entry.pair) && !mutant("small_frame_overtakes_its_pair");
  return is_behind || entry.words > frame_words_max;
}

/// Of those that were taken.
void SendQueue::hold_first() {
  const Entry entry = taken_.front();
  const auto [held, is_new] = held_.try_emplace(entry.pair);
  SubStream& s = held->second;
  if (entry.words > frame_words_max) {
    s.behind.append_large(entry, taken_.take_large());
  } else {
    s.behind.append(entry, taken_.take_first().second);
  }
  const bool hurries = entry.what == Carries::answer || entry.what == Carries::signal;
  if (hurries && !mutant("signals_wait_for_credit")) s.free_of_credit = s.behind.size();
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
    } else if (s.behind.is_empty()) {
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
      goes(s.of_large);
      continue;
    }
    if (s.behind.is_empty()) return false;
    const bool is_large = s.behind.front().words > frame_words_max;
    if (is_large && larges_ >= large_max) return true;
    if (!may_go(s.behind.front(), s.free_of_credit > 0)) return false;
    if (s.free_of_credit > 0) --s.free_of_credit;
    if (is_large) {
      s.of_large = s.behind.front();
      s.large.emplace(streams_++, s.behind.take_large());
      ++larges_;
    } else {
      const auto [entry, words] = s.behind.take_first();
      batch_.insert(batch_.end(), words.begin(), words.end());
      goes(entry);
    }
  }
  return true;
}

std::vector<Pair> SendQueue::unsent() const {
  std::vector<Pair> pairs;
  const auto add = [&](const Entry& entry) {
    if (entry.what == Carries::message) pairs.push_back(entry.pair);
  };
  const auto add_all = [&](const Frames& frames) {
    std::for_each(frames.entries.begin() + static_cast<std::ptrdiff_t>(frames.first),
                  frames.entries.end(), add);
  };
  for (const auto& [pair, s] : held_) {
    if (s.large) add(s.of_large);
    add_all(s.behind);
  }
  add_all(taken_);
  add_all(pushed_);
  return pairs;
}

SendQueue::Unsent SendQueue::clear(bool closes) {
  const auto held = lock();
  Unsent unsent{this->unsent(), in_line_.clear()};
  pushed_ = {};
  taken_ = {};
  control_.clear();
  waiting_ = {};
  held_.clear();
  turns_.clear();
  larges_ = 0;
  credit_.clear();
  is_idle_ = true;
  is_closed_ = is_closed_ || closes;
  return unsent;
}

std::size_t SendQueue::messages() const {
  const auto held = lock();
  return waiting_.messages;
}
std::size_t SendQueue::bytes() const {
  const auto held = lock();
  return waiting_.message_bytes + waiting_.signal_bytes;
}
std::size_t SendQueue::untaken_bytes() const {
  return credit_.spent();
}

}  // namespace troupe::remoting::detail
