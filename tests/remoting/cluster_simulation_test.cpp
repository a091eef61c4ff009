// Clusters under random faults, on many seeds: what is promised between nodes holds whatever the
// network and the nodes do, and a seed tells the same story twice (RELIABILITY.md 4).
#include <set>

#include "cluster.hpp"

using namespace std::chrono_literals;
using namespace cluster_test;
using troupe::Actor;
using troupe::Down;
using troupe::ExitReason;
using troupe::Random;
using troupe::Ref;
using troupe::remoting::Node;
using troupe::test::Cluster;
using troupe::test::from_environment;

namespace {

/// What all talkers of a cluster did, and what that breaks.
class Books {
 public:
  std::uint64_t new_talker() { return ++talkers_; }
  void said(std::uint64_t from, std::uint64_t to, std::uint64_t n) {
    std::uint64_t& last = last_heard_[{from, to}];
    if (n <= last)
      wrong("S2: " + name(from) + " to " + name(to) + ": " + std::to_string(n) + " after " +
            std::to_string(last));
    if (ended_.contains({to, from}))
      wrong("S3: " + name(to) + " heard of the end of " + name(from) + " and then from it");
    last = n;
    ++heard;
  }
  void asked() { ++open_asks; }
  void answered(bool is_value) {
    --open_asks;
    ++(is_value ? answers : failures);
  }
  void watched(std::uint64_t watcher, std::uint64_t token) { watches_[{watcher, token}] = 0; }
  /// `who`: 0 where the watcher never heard who it is.
  void down(std::uint64_t watcher, std::uint64_t token, std::uint64_t who, const ExitReason& why) {
    const auto found = watches_.find({watcher, token});
    if (found == watches_.end()) {
      wrong("S51: " + name(watcher) + " heard of what it does not watch");
    } else if (++found->second > 1) {
      wrong("S56: " + name(watcher) + " heard twice of one end");
    }
    const bool is_end = why.kind() != ExitReason::Kind::no_connection;
    if (is_end && who != 0) ended_.insert({watcher, who});
    ++(is_end ? ends : losses);
  }
  void gone(std::uint64_t watcher) {
    std::erase_if(watches_, [&](const auto& watch) { return watch.first.first == watcher; });
  }
  void expect_down(std::uint64_t watcher, std::uint64_t token) {
    const auto found = watches_.find({watcher, token});
    if (found != watches_.end() && found->second == 0)
      wrong("S56: " + name(watcher) + " never heard of an end");
  }
  // Talkers that were made on other nodes.
  std::uint64_t new_child(std::uint64_t parent) {
    const std::uint64_t child = new_talker();
    children_[child] = {.parent = parent};
    return child;
  }
  void lives(std::uint64_t talker) { alive_.insert(talker); }
  void ended(std::uint64_t talker) { alive_.erase(talker); }
  /// Nobody got it, or its parent's connection with it was lost.
  void must_end(std::uint64_t child) { children_.at(child).must_end = true; }
  void check_children() {
    for (const auto& [child, c] : children_) {
      if (!alive_.contains(child)) continue;
      if (!alive_.contains(c.parent)) wrong("S45: " + name(child) + " outlived its parent");
      if (c.must_end) wrong("F12: " + name(child) + " is nobody's, and lives");
      ++children;
    }
  }
  void wrong(std::string what) {
    if (wrongs.size() < 10) wrongs.push_back(std::move(what));
  }
  std::vector<std::string> wrongs;
  std::uint64_t heard = 0, answers = 0, failures = 0, ends = 0, losses = 0, children = 0;
  std::int64_t open_asks = 0;

 private:
  static std::string name(std::uint64_t talker) { return "talker " + std::to_string(talker); }
  struct Child {
    std::uint64_t parent = 0;
    bool must_end = false;
  };
  std::uint64_t talkers_ = 0;
  std::set<std::uint64_t> alive_;
  std::map<std::uint64_t, Child> children_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> last_heard_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, int> watches_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> ended_;
};

// What a test has a talker do.
struct Meet {
  std::string uri;
};
struct Speak {
  std::size_t whom;
  std::size_t bytes;
};
struct Ask {
  std::size_t whom;
};
struct Watch {
  std::size_t whom;
};
struct StopIt {
  std::size_t whom;
};
struct Raise {
  std::string node;
};
struct CheckWatches {};

class Talker
    : public Actor<Said, Question, End, Meet, Speak, Ask, Watch, StopIt, Raise, CheckWatches> {
 public:
  static constexpr troupe::Turns turns = troupe::reentrant;
  Talker(std::shared_ptr<Books> books, Node& node, std::shared_ptr<bool> is_up, std::uint64_t id)
      : books_(std::move(books)), node_(node), is_up_(std::move(is_up)), id_(id) {
    books_->lives(id_);
  }
  ~Talker() override {
    books_->gone(id_);
    books_->ended(id_);
  }

  void receive(const Said& m) { books_->said(m.from, id_, m.n); }
  Sum receive(const Question& m) { return {m.n}; }
  void receive(const End&) { stop(); }

  void receive(const Meet& m) {
    const auto found = resolve(m.uri);
    if (found) met_.push_back(*found);
  }
  void receive(const Speak& m) {
    if (met_.empty()) return;
    const auto& ref = met_[m.whom % met_.size()];
    ref.tell(Said{id_, ++said_[ref], std::vector<std::byte>(m.bytes)});
  }
  void receive(const Ask& m) {
    if (met_.empty()) return;
    const Ref<Talks> ref = met_[m.whom % met_.size()];
    books_->asked();
    struct Outcome {
      Books& books;
      bool is_value = false;
      ~Outcome() { books.answered(is_value); }
    } outcome{*books_};
    const auto answer = ref.ask(Question{id_, ++questions_}, 20s).try_await();
    outcome.is_value = static_cast<bool>(answer);
  }
  void receive(const Watch& m) {
    if (met_.empty()) return;
    const auto& ref = met_[m.whom % met_.size()];
    const troupe::MonitorToken token = monitor(ref);
    watches_[token.value] = ref;
    books_->watched(id_, token.value);
  }
  void receive(const Raise& m) {
    if (!*is_up_) return;
    const std::uint64_t id = books_->new_child(id_);
    const auto child = node_
                           .spawn_on<Talks>({.node = m.node, .factory = "talker", .parent = self()},
                                            MakeTalker{id}, 3s)
                           .try_await();
    if (!child) {
      books_->must_end(id);
      return;
    }
    met_.push_back(*child);
    const troupe::MonitorToken token = monitor(*child);
    watches_[token.value] = *child;
    raised_[token.value] = id;
    books_->watched(id_, token.value);
  }
  void receive(const Down& d) {
    books_->down(id_, d.token.value, 0, d.why);
    watches_.erase(d.token.value);
    if (raised_.contains(d.token.value)) books_->must_end(raised_.at(d.token.value));
  }
  void receive(const StopIt& m) {
    if (!met_.empty()) met_[m.whom % met_.size()].tell(End{});
  }
  /// All is well again: who does not answer is gone, and was heard of.
  void receive(const CheckWatches&) {
    const auto watches = watches_;
    for (const auto& [token, ref] : watches) {
      if (!ref.ask(Question{id_, 0}, 30s).try_await() && watches_.contains(token))
        books_->expect_down(id_, token);
    }
  }

 private:
  std::optional<Ref<Talks>> resolve(const std::string& uri) {
    if (!*is_up_) return std::nullopt;
    const auto found = node_.resolve<Talks>(uri, 10s).try_await();
    if (!found) return std::nullopt;
    return *found;
  }
  std::shared_ptr<Books> books_;
  Node& node_;
  std::shared_ptr<bool> is_up_;
  std::uint64_t id_;
  std::vector<Ref<Talks>> met_;
  std::map<Ref<>, std::uint64_t> said_;
  std::uint64_t questions_ = 0;
  std::map<std::uint64_t, Ref<Talks>> watches_;
  std::map<std::uint64_t, std::uint64_t> raised_;  ///< children, by the token of their watch
};

constexpr int talkers_per_node = 2;

class Story {
 public:
  explicit Story(std::uint64_t seed)
      : random_(seed ^ 0x5eed), cluster_(seed), nodes_(3 + random_.below(5)) {
    // Swarm: each seed has its own kinds of fault.
    may_cut_ = random_.chance(0.6);
    may_cut_one_way_ = random_.chance(0.4);
    may_reset_ = random_.chance(0.5);
    may_crash_ = random_.chance(0.6);
    if (random_.chance(0.5))
      cluster_.network.delay(1ms, std::chrono::milliseconds(5 + random_.below(300)));
  }

  void run() {
    for (std::uint32_t i = 0; i < nodes_; ++i) start(i);
    for (int blow = 0; blow < 40; ++blow) {
      for (int i = 0; i < 12; ++i) act();
      fault();
      cluster_.advance(std::chrono::milliseconds(random_.below(2500)));
    }
    cluster_.network.heal_all();
    for (std::uint32_t i = 0; i < nodes_; ++i)
      if (!cluster_.members.contains(name(i))) start(i);
    cluster_.advance(1min);
    for (auto& [node, talkers] : talkers_)
      for (const auto& talker : talkers) talker.tell(CheckWatches{});
    cluster_.advance(1min);
    books->check_children();
    cluster_.members.clear();
  }

  std::shared_ptr<Books> books = std::make_shared<Books>();
  [[nodiscard]] std::uint64_t trace() const { return cluster_.world->trace_hash(); }

 private:
  static std::string name(std::uint32_t i) { return std::string(1, static_cast<char>('a' + i)); }
  static std::string address(std::uint32_t i) { return name(i) + ":1"; }

  void start(std::uint32_t i) {
    const auto self = std::make_shared<troupe::test::Member*>(nullptr);
    auto options = Cluster::options(name(i));
    options.factories["talker"] =
        troupe::remoting::spawn_factory<MakeTalker>([self, all = books](const MakeTalker& m) {
          return troupe::factory<Talks, Talker>(all, std::ref((*self)->node), (*self)->is_up,
                                                m.number);
        });
    auto& member = cluster_.start(options);
    *self = &member;
    for (int t = 0; t < talkers_per_node; ++t)
      talkers_[i].push_back(member.system.spawn<Talker>({.name = "t" + std::to_string(t)}, books,
                                                        member.node, member.is_up,
                                                        books->new_talker()));
  }
  void crash(std::uint32_t i) {
    talkers_[i].clear();
    cluster_.crash(name(i), random_.chance(0.5));
  }
  void act() {
    const std::uint32_t i = random_.below(nodes_);
    if (talkers_[i].empty()) return;
    const auto& talker = talkers_[i][random_.below(talkers_per_node)];
    const std::size_t whom = random_.below(8);
    switch (random_.below(13)) {
      case 0:
      case 1:
      case 2:
        talker.tell(Meet{"troupe://" + address(random_.below(nodes_)) + "/t" +
                         std::to_string(random_.below(talkers_per_node))});
        break;
      case 3:
      case 4: talker.tell(::Ask{whom}); break;
      case 5: talker.tell(Watch{whom}); break;
      case 6:
        if (random_.chance(0.2)) talker.tell(StopIt{whom});
        break;
      case 12: talker.tell(Raise{"troupe://" + address(random_.below(nodes_))}); break;
      case 7: talker.tell(Speak{whom, random_.below(200'000)}); break;
      default: talker.tell(Speak{whom, random_.below(100)});
    }
  }
  void fault() {
    const std::uint32_t a = random_.below(nodes_);
    const std::uint32_t b = random_.below(nodes_);
    switch (random_.below(6)) {
      case 0:
        if (may_cut_) cluster_.network.cut_both(address(a), address(b));
        break;
      case 1:
        if (may_cut_one_way_) cluster_.network.cut(address(a), address(b));
        break;
      case 2:
        if (may_reset_) cluster_.network.reset(address(a), address(b));
        break;
      case 3:
        if (!may_crash_) break;
        if (cluster_.members.contains(name(a))) {
          crash(a);
        } else {
          start(a);
        }
        break;
      case 4: cluster_.network.heal_all(); break;
      default: break;
    }
  }

  Random random_;
  Cluster cluster_;
  std::uint32_t nodes_;
  bool may_cut_, may_cut_one_way_, may_reset_, may_crash_;
  std::map<std::uint32_t, std::vector<Ref<Talker>>> talkers_;
};

}  // namespace

TEST_CASE("S87 random clusters: what nodes promise each other holds, and a trace is the same twice",
          "[remoting]") {
  const std::uint64_t only = from_environment("TROUPE_SEED", 0);
  const std::uint64_t first = only != 0 ? only : 1;
  const std::uint64_t last = only != 0 ? only : from_environment("TROUPE_CLUSTER_SEEDS", 20);
  std::uint64_t heard = 0, answers = 0, failures = 0, ends = 0, losses = 0, children = 0;
  std::set<std::uint64_t> traces;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    INFO("seeded cluster, TROUPE_SEED=" << seed);
    std::uint64_t trace = 0;
    for (int run = 0; run < 2; ++run) {
      Story story{seed};
      story.run();
      const Books& books = *story.books;
      for (const std::string& wrong : books.wrongs) FAIL_CHECK(wrong);
      REQUIRE(books.open_asks == 0);
      if (run == 1) REQUIRE(story.trace() == trace);
      trace = story.trace();
      heard += books.heard;
      answers += books.answers;
      failures += books.failures;
      ends += books.ends;
      losses += books.losses;
      children += books.children;
    }
    traces.insert(trace);
  }
  if (only != 0) return;
  std::printf(
      "clusters: %zu traces of %llu seeds; heard %llu, answers %llu, failures %llu, ends "
      "%llu, losses %llu, children left %llu\n",
      traces.size(), static_cast<unsigned long long>(last), static_cast<unsigned long long>(heard),
      static_cast<unsigned long long>(answers), static_cast<unsigned long long>(failures),
      static_cast<unsigned long long>(ends), static_cast<unsigned long long>(losses),
      static_cast<unsigned long long>(children));
  REQUIRE(traces.size() * 100 >= last * 99);
  REQUIRE(heard > 0);
  REQUIRE(answers > 0);
  REQUIRE(failures > 0);
  REQUIRE(ends > 0);
  REQUIRE(losses > 0);
  REQUIRE(children > 0);
}
