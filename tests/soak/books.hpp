// The books of a soak: every ask and its one outcome, every message, every actor and every notice
// that is due. Their size depends on what lives, not on what has happened.
#pragma once

#include <array>
#include <atomic>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <troupe/runtime/random.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe::soak {

/// What an ask can end in: its answer, each AskErrorKind, and what the asker itself did.
enum class Outcome : std::uint8_t {
  answered,
  timeout,
  receiver_down,
  refused,
  no_reply,
  mailbox_full,
  cancelled,
  cycle,
  wrong_protocol,
  system_stopped,
  elsewhere,    ///< in what only an ask of another node can
  asker_ended,  ///< it was killed, or ended, while it waited
  given_up,     ///< it dropped the Ask
};
inline constexpr std::size_t outcomes = 13;
[[nodiscard]] std::string_view to_string(Outcome outcome) noexcept;
[[nodiscard]] Outcome outcome_of(AskErrorKind kind) noexcept;

/// The sums since the beginning, as they stood at one moment.
struct Figures {
  std::uint64_t asks = 0;
  std::array<std::uint64_t, outcomes> ended_in{};
  std::uint64_t told = 0, handled = 0, lost = 0;
  std::uint64_t kills = 0, stops = 0;
  std::uint64_t spawned = 0, ended = 0, restarted = 0, failed = 0, escalated = 0;
  std::uint64_t stalled = 0;

  [[nodiscard]] std::uint64_t asks_ended() const noexcept;
  [[nodiscard]] std::uint64_t in_flight() const noexcept { return told - handled - lost; }
  /// In one line.
  [[nodiscard]] std::string to_string() const;
};

/// Something an actor is to be told: that `target` has ended.
struct Notice {
  enum class Kind : std::uint8_t { terminated, down, exit };
  std::uint64_t voice;  ///< of the incarnation that is to hear of it
  Kind kind;
  std::uint64_t token;  ///< of a monitor
  Ref<> target;
  friend std::strong_ordering operator<=>(const Notice&, const Notice&) = default;
};

/// Thread safety: any thread.
class Books final : public Observer {
 public:
  // Observer
  void dead_letter(const DeadLetter& letter) override;
  void spawned(const Ref<>& who) override;
  void failed(const Ref<>& who, const ExitReason& why) override;
  void restarted(const Ref<>& who, std::uint32_t incarnation) override;
  void ended(const Ref<>& who, const ExitReason& why) override;
  void escalated(const Ref<>& who, const ExitReason& why) override;
  void stalled(const Stall& stall) override;

  // what the load does
  void ask_begun() { ++asks_; }
  void ask_ended(Outcome outcome) { ++ended_in_[static_cast<std::size_t>(outcome)]; }
  void work_told() { ++told_; }
  void work_handled() { ++handled_; }
  void work_transformed() { ++transformed_; }
  void kill_sent() { ++kills_; }
  void stop_sent() { ++stops_; }
  std::uint64_t new_voice();
  void voice_ended(std::uint64_t voice);
  void notice_due(const Notice& notice);
  /// Nobody waits for it any more.
  void notice_off(const Notice& notice);
  void notice_came(const Notice& notice);
  void wrong(std::string what);

  [[nodiscard]] Figures figures() const;
  [[nodiscard]] bool lives(const Ref<>& who) const;
  [[nodiscard]] std::size_t living() const;
  [[nodiscard]] Ref<> any_living(Random& random) const;

  /// What does not balance, in words; empty when all is well. While nothing goes on.
  [[nodiscard]] std::vector<std::string> check_at_rest(const System& system) const;
  /// The same after the shutdown.
  [[nodiscard]] std::vector<std::string> check_at_end(const System& system) const;

 private:
  void check_sums(std::vector<std::string>& found) const;
  void check_metrics(std::vector<std::string>& found, const Metrics& metrics) const;

  using Count = std::atomic<std::uint64_t>;
  Count asks_{0}, told_{0}, handled_{0}, lost_{0}, transformed_{0}, kills_{0}, stops_{0};
  Count spawned_{0}, ended_{0}, restarted_{0}, failed_{0}, escalated_{0}, stalled_{0}, wrongs_{0};
  Count voice_numbers_{0};
  std::array<Count, outcomes> ended_in_{};
  std::array<Count, drop_reasons> letters_{};

  mutable std::mutex mutex_;
  std::vector<Ref<>> living_;
  std::map<Ref<>, std::size_t> place_;  ///< in living_
  std::set<std::uint64_t> voices_;      ///< one for each object of ours
  std::set<Notice> due_;
  std::vector<std::string> wrong_;  ///< the first of them
};

/// One ask that is begun: it ends in exactly one outcome, on every way out of the frame it is in.
/// Thread safety: one thread at a time.
class AskCount {
 public:
  explicit AskCount(Books& books) : books_(&books) { books.ask_begun(); }
  AskCount(AskCount&& other) noexcept : books_(std::exchange(other.books_, nullptr)) {}
  AskCount& operator=(AskCount&&) = delete;
  ~AskCount() {
    if (books_ != nullptr) books_->ask_ended(Outcome::asker_ended);
  }
  template <class R>
  void over(const Result<R, AskError>& result) {
    over(result ? Outcome::answered : outcome_of(result.error().kind));
  }
  void over(Outcome outcome) {
    if (Books* books = std::exchange(books_, nullptr)) books->ask_ended(outcome);
  }

 private:
  Books* books_;
};

}  // namespace troupe::soak
