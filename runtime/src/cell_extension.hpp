// What most actors have not: made when it is first needed, and in parts, so that each pays for its
// own.
//
// Design. The extension itself, one block of 128 bytes, is for what many actors come to need: a
// child, a timer, an ask, an end. What few need lies in the parts behind it; `made` makes one.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "held_mail.hpp"
#include "mailbox/locked_lane.hpp"

namespace troupe::detail {

struct AskSlot;
struct Frame;
struct TimerRecord;
class Worker;

enum class Stage : std::uint8_t { unwind, on_stop, children, object };
enum class After : std::uint8_t { terminate, hold, rebuild };

struct Watched {
  Address target;
  WatchRecord* record = nullptr;  ///< at the target, or under way back
  bool is_monitor = false;
  bool notified = false;  ///< its Terminated or Down waits in the mailbox
};

struct Link {
  Address peer;
  std::uint64_t my_id = 0;
  std::uint64_t their_id = 0;
  LinkRecord* record = nullptr;  ///< carries this actor's exit signal
};

using Links = std::unordered_map<Life, Link, HashLife>;  ///< by the peer

/// A pointer to what is made at first use. Its owner's, but for the reaper, which looks while a
/// handler may be making it.
template <class T>
class MadeOnce {
 public:
  MadeOnce() = default;
  MadeOnce(const MadeOnce&) = delete;
  MadeOnce& operator=(const MadeOnce&) = delete;
  MadeOnce& operator=(T* made) noexcept {
    pointer_.store(made, std::memory_order_release);  // partner: seen_by_reaper
    return *this;
  }
  [[nodiscard]] T* get() const noexcept {
    return pointer_.load(std::memory_order_relaxed);  // the owner's own write
  }
  operator T*() const noexcept { return get(); }  // NOLINT: reads like the pointer it is
  T* operator->() const noexcept { return get(); }
  [[nodiscard]] T* seen_by_reaper() const noexcept {
    return pointer_.load(std::memory_order_acquire);  // partner: the assignment
  }

 private:
  std::atomic<T*> pointer_{nullptr};
};
template <class T>
struct Part : MadeOnce<T> {
  ~Part() { delete this->get(); }
  using MadeOnce<T>::operator=;
};

/// Who watches an actor, whom it watches, and with whom it is linked.
struct Relations {
  WatchRecord* watchers = nullptr;
  std::unordered_map<std::uint64_t, Watched> watched;  ///< by token
  Links links;
};

/// What others want of an actor's life. A held child has it from its spawn on: that it may fail
/// without memory.
struct Oversight {
  Oversight() = default;
  Oversight(const Oversight&) = delete;
  Oversight& operator=(const Oversight&) = delete;
  ~Oversight() {
    if (ended != nullptr && !ended->arrives()) delete ended;
  }
  RequestPort started;  ///< who waits for on_start
  std::optional<Duration> stop_limit;
  TimerRecord* stop_timer = nullptr;
  std::vector<RequestPort> stop_waiters;
  ChildEndedCommand* ended = nullptr;          ///< of a held child
  std::optional<ExitReason> end_when_resumed;  ///< came while the parent's verdict was awaited
  TimePoint stop_due = TimePoint::max();       ///< the deadline of that
  std::shared_ptr<const Maker> maker;          ///< for the rebuild under way
  std::uint32_t came_when_held = 0;  ///< messages_came when the verdict began to be awaited
  std::uint32_t abandoned_life =
      0;  ///< its generation until the reaper abandoned it; 0: it did not
};

/// How an actor takes its messages, where that is not the usual way.
struct Intake {
  Worker* home = nullptr;            ///< the thread of a pinned actor
  std::shared_ptr<LockedLane> lane;  ///< null: the mailbox is the default one
  Part<HeldMail> held_mail;
  std::uint32_t stash_max = 0;  ///< 0: the System's
  bool restart_keeps_stash = true;
  std::shared_ptr<Behavior> behavior;  ///< null: the class's handlers
  Duration receive_timeout{};
  TimePoint last_influence{};
  TimerRecord* receive_timer = nullptr;
};

/// See back_pressure.cpp.
struct BackPressure {
  Address slow_target;                      ///< it floods this actor; looked at after the message
  RequestPort slowdown;                     ///< it waits for that one's mailbox to empty
  std::vector<RequestPort> slowed_senders;  ///< who waits for this one's
};

struct CellExtension {
  bool hold : 1 = false;
  bool trap_exit : 1 = false;
  bool linked_to_parent : 1 = false;  ///< from its launch on
  bool stay_on_worker : 1 = false;    ///< a handler goes on where it was suspended
  bool stop_pending : 1 = false;      ///< ends when the handlers that wait are done
  bool ended_by_request : 1 = false;
  bool on_start_ran : 1 = false;
  bool out_of_time : 1 = false;  ///< its stop deadline is over: on_stop may not await any more
  bool restart_keeps_children : 1 = false;
  bool children_told : 1 = false;
  bool has_object = false;
  Guardian guardian = Guardian::no;
  Stage stage{};
  After after{};
  StopReason stop_reason{};
  std::uint8_t asks_since_look = 0;  ///< far-off ones since its ask timer fired; see begin_ask
  std::uint32_t tokens = 0;          ///< of watches, links and timers given out so far
  std::uint32_t child_count = 0;
  Cell* first_child = nullptr;
  ExitReason why;
  TimerRecord* timers = nullptr;
  AskSlot* asks = nullptr;
  TimerRecord* ask_timer = nullptr;
  Frame* frames = nullptr;  ///< handlers that wait, newest first
  Frame* first_ready = nullptr;
  Frame* last_ready = nullptr;
  Part<Relations> relations;
  Part<Oversight> oversight;
  Part<Intake> intake;
  Part<BackPressure> back_pressure;

  /// Messages are taken as where there is no extension: no handler waits, and nothing is to be
  /// looked at before a message or after it.
  [[nodiscard]] bool takes_mail_plainly() const noexcept {
    return frames == nullptr && intake == nullptr && back_pressure == nullptr && !stop_pending;
  }
  /// Who waits for on_start, and nobody from here on.
  RequestPort take_started() noexcept {
    return oversight != nullptr ? std::exchange(oversight->started, {}) : RequestPort{};
  }
  // Blocks as envelopes have: actors come and go as messages do.
  static void* operator new(std::size_t bytes);
  static void operator delete(void* extension) noexcept;
};
static_assert(sizeof(CellExtension) == 128, "a block's size");

/// The part; made now if there was none.
template <class T>
T& made(Part<T>& part) {
  if (part == nullptr) part = new T;
  return *part;
}

}  // namespace troupe::detail
