// A world of random trees: supervisors over supervisors over actors that send, ask, watch, fail,
// stop, start timers and spawn, all drawn from one seed; and the books that must balance after it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <troupe/runtime/runtime.hpp>
#include <troupe/supervision/supervision.hpp>

namespace troupe::test {

/// Told from actor to actor until its fuel is used up.
struct Work {
  std::uint64_t voice;   ///< the sender's incarnation
  std::uint64_t number;  ///< counts what this voice has told this receiver
  std::uint32_t fuel;
};
struct Query {
  using Reply = std::uint64_t;
  std::uint32_t depth;
};
struct Tick {};

/// What happened, for all incarnations of all actors. Thread safety: any thread.
class Books final : public Observer {
 public:
  using Peer = Ref<Work, Query>;

  explicit Books(std::uint64_t seed) : random_(seed) {}

  // Observer
  void dead_letter(const DeadLetter& letter) override;
  void restarted(const Ref<>& who, std::uint32_t incarnation) override;
  void ended(const Ref<>& who, const ExitReason& why) override;
  void escalated(const Ref<>& who, const ExitReason& why) override;

  // what actors do
  std::uint64_t new_voice();
  void voice_ended(std::uint64_t voice);
  void add_peer(const Peer& peer);
  Peer any_peer(Random& random);
  Random new_random();
  std::uint64_t work_told() { return ++told_; }
  void work_handled() { ++handled_; }
  void ask_begun() { ++asks_; }
  void ask_ended(const AskError* error);
  void watch_begun(std::uint64_t voice, const Ref<>& target);
  void terminated_seen(std::uint64_t voice, const Ref<>& target);
  void wrong(std::string what);

  /// What does not balance, in words; empty when all is well. At rest, before the shutdown.
  std::vector<std::string> check_at_rest();
  /// The same after the shutdown.
  std::vector<std::string> check_at_end();

  [[nodiscard]] std::uint64_t told() const noexcept { return told_; }
  [[nodiscard]] std::uint64_t asks() const noexcept { return asks_; }
  [[nodiscard]] std::uint64_t restarts() const noexcept { return restarts_; }
  [[nodiscard]] std::uint64_t ends() const noexcept { return ends_; }
  [[nodiscard]] std::uint64_t escalations() const noexcept { return escalations_; }
  [[nodiscard]] std::string outcomes();

 private:
  struct Watch {
    std::uint32_t seen = 0;
  };
  std::mutex mutex_;
  Random random_;
  std::uint64_t voices_ = 0;
  std::set<std::uint64_t> living_;  ///< voices
  std::vector<Peer> peers_;
  std::set<Ref<>> ended_actors_;
  std::map<std::pair<std::uint64_t, Ref<>>, Watch> watches_;
  std::map<std::string, std::uint64_t> outcomes_;
  std::vector<std::string> wrong_;
  std::atomic<std::uint64_t> told_{0}, handled_{0}, lost_{0}, asks_{0}, ask_ends_{0}, restarts_{0},
      ends_{0}, escalations_{0};
};
using BooksPtr = std::shared_ptr<Books>;

/// How wild a world is.
struct Weather {
  double failures = 0.05;  ///< of messages whose handler throws
  double stops = 0.02;     ///< of messages after which the actor stops
  bool delays = true;      ///< timers, delayed sends and timeouts that take time
};

/// Plants a tree of up to `depth` levels of supervisors, and returns its root.
Ref<> plant_tree(System& system, const BooksPtr& books, const Weather& weather,
                 std::uint32_t depth);
/// One blow from outside: work, a kill, a stop, or a question to any peer.
void disturb(System& system, Books& books, Random& random, std::uint32_t fuel);

}  // namespace troupe::test
