// The world of a soak: what its actors say to each other, and what they all know.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <string>

#include <troupe/runtime/runtime.hpp>

#include "soak/books.hpp"

namespace troupe::soak {

/// Told from actor to actor until its fuel is used up.
struct Work {
  std::uint64_t voice;   ///< the sender's incarnation
  std::uint64_t number;  ///< counts what this voice says; 0: its order is nobody's promise
  std::uint32_t fuel;
};
/// Answered with nonce + 1, sooner or later.
struct Job {
  std::uint64_t nonce;
  std::uint32_t depth;  ///< how many others may be asked for it, one by one
  std::string luggage;  ///< what a lost request would leak
  using Reply = std::uint64_t;
};
/// Answered at once, with a text too large for the slot of an answer.
struct Fetch {
  std::uint64_t nonce;
  using Reply = std::string;
};
struct Row {
  std::uint64_t number;
  std::string text;
};
struct ReadRows {
  std::uint32_t rows;
  using Reply = Stream<Row>;
};
struct Api : Protocol<Work, Job, Fetch, ReadRows> {};
struct JobApi : Protocol<Job> {};
/// Nobody takes it.
struct Nonsense {
  using Reply = std::uint64_t;
};
using Peer = Ref<Api>;

[[nodiscard]] std::string text_for(std::uint64_t nonce);

/// Some actors that were there lately: a newcomer takes the place of any.
/// Thread safety: any thread.
class Peers {
 public:
  void add(Random& random, const Peer& peer);
  void remove(const Ref<>& peer);
  /// One that mostly still lives; empty when there are few.
  [[nodiscard]] Peer any(Random& random) const;

 private:
  mutable std::mutex mutex_;
  std::array<Peer, 200> peers_{};
};

/// Thread safety: any thread.
struct World {
  static constexpr std::size_t living_max = 300;  ///< then nobody is spawned but by supervisors
  static constexpr std::uint64_t in_flight_max = 1000;

  World(std::uint64_t seed, std::shared_ptr<Books> its_books)
      : books(std::move(its_books)), seeds_(seed) {}

  const std::shared_ptr<Books> books;
  Peers peers;
  /// The world comes to rest: nobody begins anything, and what is kept is let go.
  std::atomic<bool> is_calm{false};
  /// Threads fill the allocator's caches, now and then: what grows after that is the program's.
  std::atomic<bool> is_warming_up{false};
  /// The System is about to be shut down: from outside nobody spawns, or tells what no System would
  /// be there to count.
  std::atomic<bool> is_ending{false};

  [[nodiscard]] Random new_random() {
    std::lock_guard guard(mutex_);
    return seeds_.split("actor");
  }
  /// Called on all threads that do something.
  void warm_up(Random& random);
  [[nodiscard]] bool has_room() const { return books->living() < living_max; }

 private:
  std::mutex mutex_;
  Random seeds_;
};

/// Mostly long enough, sometimes hopelessly short; rarely none for one who may wait for ever.
[[nodiscard]] Duration any_timeout(Random& random, bool may_be_for_ever);

/// Asks any peer, waits, and checks that the answer is the one to this question. On an actor or
/// outside.
void ask_any(World& world, Random& random, std::uint32_t depth, bool may_be_for_ever);
void fetch_any(World& world, Random& random);
/// Reads a stream, to its end or not.
void read_any(World& world, Random& random);
/// Tells any peer that is not `self`.
void tell_any(World& world, Random& random, const Work& work);

}  // namespace troupe::soak
