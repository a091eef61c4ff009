// Who waits until his message has room in a queue: one line for each pair, so that nobody
// overtakes.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "credit.hpp"
#include "frame.hpp"

namespace troupe::remoting::detail {

/// Thread safety: any thread, one at a time; with the queue's lock where it says so.
class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  virtual ~Waiter() = default;
  /// He has given up. With the lock.
  [[nodiscard]] virtual bool is_over() const noexcept = 0;
  /// He can't give up any more; false: he has. With the lock.
  [[nodiscard]] virtual bool claim() noexcept = 0;
  virtual void taken() noexcept = 0;
  /// It never will be: he has given up, or `is_lost`: it was forgotten with all that waited.
  virtual void dropped(bool is_lost) noexcept = 0;
};

/// Thread safety: with the queue's lock, except `tell`, which is for without it.
class WaitingLines {
 public:
  struct InLine {
    std::vector<Word> frame;  ///< empty: it was taken
    std::unique_ptr<Waiter> waiter;
  };
  /// Those that stand in line no more, and are to be told.
  using Left = std::vector<InLine>;
  static void tell(const Left& left) noexcept;

  /// Somebody waits there who has not given up.
  [[nodiscard]] bool has(const Pair& pair, Left& left);
  void add(const Pair& pair, InLine last, Left& left);
  /// Lets on those that `has_room` has room for, one after the other; `take` takes the frame.
  template <class HasRoom, class Take>
  void admit(HasRoom has_room, Take take, Left& left) {
    for (auto at = lines_.begin(); at != lines_.end();) {
      auto& [pair, line] = *at;
      for (drop_first(line, left); !line.all.empty() && has_room(pair, line.all.front().frame);
           drop_first(line, left)) {
        InLine first = std::move(line.all.front());
        line.all.pop_front();
        if (first.waiter->claim() && take(pair, first.frame)) first.frame.clear();
        left.push_back(std::move(first));
      }
      at = line.all.empty() ? lines_.erase(at) : std::next(at);
    }
  }
  void sweep(Left& left);
  [[nodiscard]] std::vector<std::unique_ptr<Waiter>> clear();

 private:
  struct Line {
    std::deque<InLine> all;
    std::size_t sweep_at = 16;  ///< so many are looked through for who has given up
  };
  /// Those in front who have given up.
  static void drop_first(Line& line, Left& left);
  static void sweep(Line& line, Left& left);
  std::unordered_map<Pair, Line, HashPair> lines_;
};

}  // namespace troupe::remoting::detail
