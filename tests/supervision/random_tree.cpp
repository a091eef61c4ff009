#include "supervision/random_tree.hpp"

#include <utility>

namespace troupe::test {

using namespace std::chrono_literals;

// ---- the books

void Books::dead_letter(const DeadLetter& letter) {
  if (letter.message_type.find("Work") != std::string_view::npos) ++lost_;
}
void Books::restarted(const Ref<>&, std::uint32_t) {
  ++restarts_;
}
void Books::ended(const Ref<>& who, const ExitReason&) {
  ++ends_;
  std::lock_guard guard(mutex_);
  if (!ended_actors_.insert(who).second) wrong_.push_back(who.to_string() + " ended twice");
}
void Books::escalated(const Ref<>&, const ExitReason&) {
  ++escalations_;
}

std::uint64_t Books::new_voice() {
  std::lock_guard guard(mutex_);
  living_.insert(++voices_);
  return voices_;
}
void Books::voice_ended(std::uint64_t voice) {
  std::lock_guard guard(mutex_);
  living_.erase(voice);
}
void Books::add_peer(const Peer& peer) {
  std::lock_guard guard(mutex_);
  peers_.push_back(peer);
}
Books::Peer Books::any_peer(Random& random) {
  std::lock_guard guard(mutex_);
  if (peers_.empty()) return {};
  return peers_[random.below(static_cast<std::uint32_t>(peers_.size()))];
}
Random Books::new_random() {
  std::lock_guard guard(mutex_);
  return random_.split("actor");
}
void Books::ask_ended(const AskError* error) {
  ++ask_ends_;
  std::lock_guard guard(mutex_);
  ++outcomes_[error == nullptr ? "answered" : std::string(to_string(error->kind))];
}
void Books::watch_begun(std::uint64_t voice, const Ref<>& target) {
  std::lock_guard guard(mutex_);
  watches_.try_emplace({voice, target});
}
void Books::terminated_seen(std::uint64_t voice, const Ref<>& target) {
  std::lock_guard guard(mutex_);
  const auto found = watches_.find({voice, target});
  if (found == watches_.end()) {
    wrong_.push_back("Terminated without a watch");
  } else if (++found->second.seen > 1) {
    wrong_.push_back("two Terminated for one watch (S50)");
  }
}
void Books::wrong(std::string what) {
  std::lock_guard guard(mutex_);
  wrong_.push_back(std::move(what));
}
std::string Books::outcomes() {
  std::lock_guard guard(mutex_);
  std::string text;
  for (const auto& [name, count] : outcomes_) text += name + " " + std::to_string(count) + " ";
  return text;
}

std::vector<std::string> Books::check_at_rest() {
  std::lock_guard guard(mutex_);
  std::vector<std::string> found = wrong_;
  for (const auto& [key, watch] : watches_) {
    const bool is_due = living_.contains(key.first) && ended_actors_.contains(key.second);
    if (is_due && watch.seen != 1) found.push_back("a watcher never heard of an end (S50)");
  }
  return found;
}

std::vector<std::string> Books::check_at_end() {
  std::vector<std::string> found;
  {
    std::lock_guard guard(mutex_);
    found = wrong_;
    if (!living_.empty()) found.push_back("an actor's object outlived the System");
  }
  if (told_ != handled_ + lost_) {
    found.push_back(std::to_string(told_) + " told, but " + std::to_string(handled_) +
                    " handled and " + std::to_string(lost_) + " dead letters (S8)");
  }
  if (asks_ != ask_ends_) {
    found.push_back(std::to_string(asks_) + " asks, but " + std::to_string(ask_ends_) +
                    " outcomes (S13)");
  }
  return found;
}

// ---- the actors

namespace {

struct World {
  BooksPtr books;
  Weather weather;
};

/// Counts an ask as begun, and as ended on every way out, be it Cancelled.
class CountedAsk {
 public:
  explicit CountedAsk(Books& books) : books_(books) { books_.ask_begun(); }
  CountedAsk(const CountedAsk&) = delete;
  CountedAsk& operator=(const CountedAsk&) = delete;
  ~CountedAsk() {
    const AskError cancelled{AskErrorKind::cancelled, ""};
    books_.ask_ended(!is_over_ ? &cancelled : error_ ? &*error_ : nullptr);
  }
  void over(std::optional<AskError> error) {
    is_over_ = true;
    error_ = std::move(error);
  }

 private:
  Books& books_;
  bool is_over_ = false;
  std::optional<AskError> error_;
};

class Leaf : public Actor<Work, Query, Private<Tick>> {
 public:
  explicit Leaf(World world)
      : world_(std::move(world)),
        random_(world_.books->new_random()),
        voice_(world_.books->new_voice()) {}
  ~Leaf() override { world_.books->voice_ended(voice_); }
  Leaf(const Leaf&) = delete;
  Leaf& operator=(const Leaf&) = delete;

  void on_start() override {
    world_.books->add_peer(self());
    if (random_.chance(0.02)) throw std::runtime_error("a bad start");
    if (world_.weather.delays && random_.chance(0.3)) every("tick", 300ms, Tick{});
  }

  void receive(const Work& m) {
    world_.books->work_handled();
    std::uint64_t& last = heard_[m.voice];
    if (m.number <= last) world_.books->wrong("messages of one sender out of order (S2)");
    last = m.number;
    if (m.fuel == 0) return;
    act(m.fuel);
    if (random_.chance(world_.weather.failures)) throw std::runtime_error("by chance");
    if (random_.chance(world_.weather.stops)) stop();
  }
  std::uint64_t receive(const Query& m) {
    require(!random_.chance(0.05), "not today");
    if (m.depth > 0 && random_.chance(0.5)) return query(m.depth - 1);
    return voice_;
  }
  void receive(const Tick&) { tell_any(1); }
  void receive(const Terminated& m) { world_.books->terminated_seen(voice_, m.who); }

 private:
  void act(std::uint32_t fuel) {
    switch (random_.below(10)) {
      case 0: query(2); break;
      case 1: watch_any(); break;
      case 2: start_timer("once", Duration(1ms) * random_.below(500), Tick{}); break;
      case 3:
        if (fuel > 3) spawn<Leaf>(world_);
        break;
      case 4: world_.books->any_peer(random_).tell_urgent(next_for({}, 0)); break;
      case 5: blocking([] {}); break;
      case 6: link_any(); break;
      default: tell_any(fuel - 1);
    }
    tell_any(fuel - 1);
  }
  Work next_for(const Books::Peer& peer, std::uint32_t fuel) {
    world_.books->work_told();
    // An urgent one overtakes: it speaks with a voice of its own.
    if (!peer) return {(voice_ << 32) + ++urgent_, 1, fuel};
    return {voice_, ++told_[peer], fuel};
  }
  void tell_any(std::uint32_t fuel) {
    const auto peer = world_.books->any_peer(random_);
    if (peer) peer.tell(next_for(peer, fuel));
  }
  std::uint64_t query(std::uint32_t depth) {
    const auto peer = world_.books->any_peer(random_);
    const Duration timeout = world_.weather.delays ? Duration(1ms) * (1 + random_.below(2000)) : 5s;
    CountedAsk counted(*world_.books);
    const auto answer = peer.ask(Query{depth}, timeout).try_await();
    counted.over(answer ? std::nullopt : std::optional(answer.error()));
    return answer ? *answer : 0;
  }
  void watch_any() {
    const auto peer = world_.books->any_peer(random_);
    if (peer == Ref<>{self()} || !watched_.insert(peer).second) return;
    world_.books->watch_begun(voice_, peer);
    watch(peer);
  }
  void link_any() {
    const auto peer = world_.books->any_peer(random_);
    if (random_.chance(0.5)) {
      link(peer);
    } else {
      unlink(peer);
    }
  }

  World world_;
  Random random_;
  std::uint64_t voice_;
  std::uint64_t urgent_ = 0;
  std::map<std::uint64_t, std::uint64_t> heard_;
  std::map<Ref<>, std::uint64_t> told_;
  std::set<Ref<>> watched_;
};

SupervisorOptions any_options(Random& random) {
  SupervisorOptions options;
  const Strategy strategies[] = {one_for_one, one_for_all, rest_for_one, dynamic};
  options.strategy = strategies[random.below(4)];
  options.restarts_max = 1 + random.below(8);
  options.within = 1s;
  if (random.chance(0.3)) options.backoff = Backoff{.min = 10ms, .max = 100ms};
  const Decision decisions[] = {Decision::restart, Decision::resume, Decision::stop,
                                Decision::escalate};
  if (random.chance(0.3)) options.decider = Decider{}.otherwise(decisions[random.below(4)]);
  return options;
}

class Branch : public Supervisor<Work> {
 public:
  Branch(World world, std::uint32_t depth, Random random)
      : Supervisor(any_options(random)), world_(std::move(world)), random_(random), depth_(depth) {}
  void on_start() override {
    Random random = random_;  // each incarnation plants the same
    const std::uint32_t children = 1 + random.below(4);
    for (std::uint32_t i = 0; i < children; ++i) {
      ChildSpec spec;
      spec.id = "child-" + std::to_string(i);
      const Restart restarts[] = {Restart::permanent, Restart::transient, Restart::temporary};
      spec.restart = restarts[random.below(3)];
      if (random.chance(0.2)) spec.shutdown = Shutdown::brutal_kill();
      if (depth_ > 1 && random.chance(0.5)) {
        start_child<Branch>(std::move(spec), world_, depth_ - 1, random.split("branch"));
      } else {
        start_child<Leaf>(std::move(spec), world_);
      }
    }
  }
  void receive(const Work&) { world_.books->work_handled(); }

 private:
  World world_;
  Random random_;
  std::uint32_t depth_;
};

}  // namespace

Ref<> plant_tree(System& system, const BooksPtr& books, const Weather& weather,
                 std::uint32_t depth) {
  return system.spawn<Branch>({.guardian = Guardian::no}, World{books, weather}, depth,
                              books->new_random());
}

namespace {
constexpr std::uint64_t outside = std::uint64_t{1} << 63;  // voices of none of the actors
}

void disturb(System& system, Books& books, Random& random, std::uint32_t fuel) {
  const auto peer = books.any_peer(random);
  if (!peer) return;
  switch (random.below(8)) {
    case 0: system.kill(peer); break;
    case 1: static_cast<void>(system.stop(peer, Duration(1ms) * random.below(1000))); break;
    default: peer.tell(Work{outside | books.work_told(), 1, fuel});
  }
}

}  // namespace troupe::test
