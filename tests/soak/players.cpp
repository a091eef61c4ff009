#include "players.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <thread>

namespace troupe::soak {

using namespace std::chrono_literals;

namespace {

struct Tick {};

/// What a player knows of itself.
struct Habits {
  std::uint32_t level;
  bool traps_exits;
};

/// What all kinds share. A kind says how it answers a Job.
class Player : public Actor<Api, Private<Tick>> {
 public:
  Player(World* world, Habits habits)
      : world_(*world),
        random_(world->new_random()),
        voice_(world->books->new_voice()),
        habits_(habits) {}
  ~Player() override { world_.books->voice_ended(voice_); }
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  void on_start() override {
    world_.peers.add(random_, self());
    if (random_.chance(0.01)) throw std::runtime_error("a bad start");
    if (random_.chance(0.1)) ask_any(world_, random_, 0, false);
    every("tick", 100ms + Duration(1ms) * random_.below(200), Tick{});
  }

  void on_stop(StopReason why) override {
    if (why != StopReason::restart && random_.chance(0.8)) world_.peers.remove(self());
  }

  void receive(const Work& m) {
    world_.books->work_handled();
    world_.warm_up(random_);
    if (m.number != 0) {
      if (heard_.size() > 64) heard_.clear();
      std::uint64_t& last = heard_[m.voice];
      if (m.number <= last) world_.books->wrong("messages of one sender out of order (S2)");
      last = m.number;
    }
    if (m.fuel == 0 || world_.is_calm) return;
    act(m.fuel - 1);
    if (random_.chance(0.02)) throw std::runtime_error("by chance");
    if (random_.chance(0.01)) stop();
  }
  std::string receive(const Fetch& m) {
    if (random_.chance(0.02)) throw std::runtime_error("nothing to fetch");
    return text_for(m.nonce);
  }
  void receive(const ReadRows& m, StreamTo<Row> out) {
    if (random_.chance(0.1)) return out.refuse("not today");
    for (std::uint64_t i = 0; i < m.rows; ++i) {
      AskCount count{*world_.books};
      const auto sent = out.send(Row{i, text_for(i)}, 1s).try_await();
      count.over(sent);
      if (!sent) return;
      if (random_.chance(0.005)) throw std::runtime_error("the disk is broken");
    }
    if (random_.chance(0.9)) out.finish();
  }
  void receive(const Tick&) {
    let_go();
    if (!world_.is_calm) say(random_.below(2));
  }
  void receive(const Terminated& m) {
    std::erase(watched_, m.who);
    world_.books->notice_came({voice_, Notice::Kind::terminated, 0, m.who});
  }
  void receive(const Down& m) {
    std::erase_if(monitored_, [&](const auto& one) { return one.second == m.token; });
    world_.books->notice_came({voice_, Notice::Kind::down, m.token.value, m.who});
  }
  void receive(const Exit& m) { world_.books->notice_came({voice_, Notice::Kind::exit, 0, m.who}); }

 protected:
  /// What is kept is handled or answered now.
  virtual void let_go() {}
  /// Whether a wait without a timeout can't be for ever: nobody waits for what only a later turn
  /// of this actor does.
  [[nodiscard]] virtual bool may_wait_for_ever() const { return true; }

  /// Answers a Job, after asking others for it.
  std::uint64_t do_job(const Job& m) {
    require(!random_.chance(0.03), "not today");
    if (random_.chance(0.01)) throw std::runtime_error("the job is too hard");
    if (m.depth > 0 && !world_.is_calm) ask_any(world_, random_, m.depth - 1, may_wait_for_ever());
    if (random_.chance(0.01)) stop();
    return m.nonce + 1;
  }
  void act(std::uint32_t fuel) {
    switch (random_.below(16)) {
      case 0: ask_any(world_, random_, 2, may_wait_for_ever()); break;
      case 1: fetch_any(world_, random_); break;
      case 2: read_any(world_, random_); break;
      case 3: watch_any(); break;
      case 4: monitor_any(); break;
      case 5: link_any(); break;
      case 6: time_something(); break;
      case 7: have_a_child(fuel); break;
      case 8: block(); break;
      case 9: say_otherwise(fuel); break;
      case 10: end_any(); break;
      case 11: ask_in_vain(); break;
      default: break;
    }
    say(fuel);
    if (fuel > 0) say(fuel - 1);
  }
  void say(std::uint32_t fuel) { tell_any(world_, random_, {voice_, ++said_, fuel}); }

  World& world_;
  Random random_;
  const std::uint64_t voice_;

 private:
  void watch_any() {
    const Ref<> peer = world_.peers.any(random_);
    if (!peer || peer == Ref<>{self()}) return;
    if (std::find(watched_.begin(), watched_.end(), peer) != watched_.end()) return;
    if (watched_.size() >= 4) {
      unwatch(watched_.front());
      world_.books->notice_off({voice_, Notice::Kind::terminated, 0, watched_.front()});
      watched_.erase(watched_.begin());
    }
    watched_.push_back(peer);
    world_.books->notice_due({voice_, Notice::Kind::terminated, 0, peer});
    watch(peer);
  }
  void monitor_any() {
    const Ref<> peer = world_.peers.any(random_);
    if (!peer || peer == Ref<>{self()}) return;
    if (monitored_.size() >= 4) {
      const auto [who, token] = monitored_.front();
      demonitor(token);
      world_.books->notice_off({voice_, Notice::Kind::down, token.value, who});
      monitored_.erase(monitored_.begin());
    }
    const MonitorToken token = monitor(peer);
    monitored_.emplace_back(peer, token);
    world_.books->notice_due({voice_, Notice::Kind::down, token.value, peer});
  }
  void link_any() {
    const Ref<> peer = world_.peers.any(random_);
    if (!peer || peer == Ref<>{self()} || random_.chance(0.8)) return;  // else kills spread too far
    if (habits_.traps_exits) world_.books->notice_due({voice_, Notice::Kind::exit, 0, peer});
    link(peer);  // nobody unlinks
  }
  void time_something() {
    start_timer("once", Duration(1ms) * random_.below(50), Tick{});
    if (random_.chance(0.5)) cancel_timer("once");
    world_.books->work_told();
    self().tell_after(Duration(1ms) * random_.below(100), Work{voice_, 0, 0});
  }
  void have_a_child(std::uint32_t fuel) {
    if (habits_.level >= 2 || !world_.has_room()) return;
    Role role = any_role(world_, random_, habits_.level + 1);
    role.options.linked = random_.chance(0.2);
    const Peer child = spawn(role.factory, role.options);
    world_.books->work_told();
    child.tell(Work{voice_, ++said_, fuel});
    if (!random_.chance(0.3)) return;
    watched_.push_back(child);
    world_.books->notice_due({voice_, Notice::Kind::terminated, 0, child});
    watch(child);
  }
  void block() {
    const auto a_little = Duration(1us) * random_.below(2000);
    const bool fails = random_.chance(0.05);
    blocking([&world = world_, random = Random{random_.next()}, a_little, fails]() mutable {
      world.warm_up(random);
      std::this_thread::sleep_for(a_little);  // lint:allow(sleep) what blocks is the subject
      if (fails) throw std::runtime_error("the disk is full");
    });
  }
  void say_otherwise(std::uint32_t fuel) {
    const Peer peer = world_.peers.any(random_);
    if (!peer) return;
    world_.books->work_told();
    if (random_.chance(0.5)) {
      peer.tell_urgent(Work{voice_, 0, fuel});
      return;
    }
    AskCount count{*world_.books};
    count.over(peer.send(Work{voice_, 0, fuel}, 100ms).try_await());
  }
  void end_any() {
    if (random_.chance(0.7)) return;
    const Ref<> peer = world_.peers.any(random_);
    if (random_.chance(0.5)) {
      world_.books->stop_sent();
      stop(peer);
    } else {
      world_.books->kill_sent();
      if (random_.chance(0.5)) {
        kill(peer);
      } else {
        exit(peer, ExitReason::killed());
      }
    }
  }
  /// One who gives up at once, and one who asks the wrong actor.
  void ask_in_vain() {
    const Peer peer = world_.peers.any(random_);
    {
      AskCount count{*world_.books};
      static_cast<void>(peer.ask(Job{0, 0, text_for(0)}));
      count.over(Outcome::given_up);
    }
    AskCount count{*world_.books};
    count.over(Ref<Nonsense>{peer.address()}.ask(Nonsense{}, 200ms).try_await());
  }

  const Habits habits_;
  std::uint64_t said_ = 0;
  std::map<std::uint64_t, std::uint64_t> heard_;
  std::vector<Ref<>> watched_;
  std::vector<std::pair<Ref<>, MonitorToken>> monitored_;
};

/// Its handlers are fibers.
class Waiter final : public Player {
 public:
  using Player::Player;
  using Player::receive;
  std::uint64_t receive(const Job& m) { return do_job(m); }
};

/// Its handlers are coroutines.
class Coroutine final : public Player {
 public:
  using Player::Player;
  using Player::receive;
  Task<std::uint64_t> receive(Job m) {
    if (random_.chance(0.01)) throw std::runtime_error("before it waits");
    if (m.depth > 0 && !world_.is_calm) {
      co_await ask(m.depth - 1);
      co_await ask(0);
    }
    if (random_.chance(0.01)) throw std::runtime_error("after it waited");
    co_return m.nonce + 1;
  }

 private:
  Task<void> ask(std::uint32_t depth) {
    const std::uint64_t nonce = random_.next();
    AskCount count{*world_.books};
    auto job = world_.peers.any(random_).ask(Job{nonce, depth, text_for(nonce)},
                                             any_timeout(random_, true));
    const auto answer = co_await as_result(std::move(job));
    count.over(answer);
    if (answer && *answer != nonce + 1) world_.books->wrong("the answer to another ask (S12)");
  }
};

/// Answers later, or lets go of the duty to, or ends with it.
class Keeper final : public Player {
 public:
  using Player::Player;
  using Player::receive;
  void receive(const Job& m, ReplyTo<std::uint64_t> reply) {
    if (random_.chance(0.05)) return;  // no_reply
    kept_.emplace_back(m.nonce, std::move(reply));
    if (kept_.size() > 50) let_go();
    if (random_.chance(0.02)) stop();  // receiver_down for all of them
  }

 private:
  void let_go() override {
    for (auto& [nonce, reply] : kept_) {
      if (random_.chance(0.05)) {
        reply.refuse("too late");
      } else {
        reply(nonce + 1);
      }
    }
    kept_.clear();
  }
  [[nodiscard]] bool may_wait_for_ever() const override { return false; }
  std::deque<std::pair<std::uint64_t, ReplyTo<std::uint64_t>>> kept_;
};

/// Closed by turns: it stashes then, and now and then too much. Its stash changes the order.
class Hoarder final : public Player {
 public:
  using Player::Player;
  using Player::receive;
  void receive(const Work& m) {
    if (is_closed()) {
      if (stash_is_full()) world_.books->work_handled();  // it fails with this message
      stash(m);
    } else {
      Player::receive(Work{m.voice, 0, m.fuel});
    }
  }
  void receive(const Job& m, ReplyTo<std::uint64_t> reply) {
    if (!is_closed()) {
      reply(m.nonce + 1);
    } else if (stash_is_full()) {
      reply.refuse("too many wait");
    } else {
      stash(m, std::move(reply));
    }
  }

 private:
  [[nodiscard]] bool is_closed() const { return is_closed_ && !world_.is_calm; }
  void let_go() override {
    is_closed_ = !is_closed_;
    if (!is_closed()) unstash_all();
  }
  [[nodiscard]] bool may_wait_for_ever() const override { return false; }
  bool is_closed_ = false;
};

/// Other messages go on while its handlers wait; they wait for the first of several answers, or
/// have it piped to them. No ring is seen through it (S138): what asks while it answers a Job has a
/// timeout.
class Juggler final : public Player {
 public:
  static constexpr auto turns = reentrant;
  using Player::Player;
  using Player::receive;
  std::uint64_t receive(const Job& m) {
    if (m.depth == 0 || world_.is_calm) return m.nonce + 1;
    if (random_.chance(0.5)) {
      pipe();
      return do_job(m);
    }
    AskCount first{*world_.books};
    AskCount second{*world_.books};
    std::vector<Ask<std::uint64_t>> asks;
    for (std::uint64_t nonce = 0; nonce < 2; ++nonce)
      asks.push_back(world_.peers.any(random_).ask(Job{nonce, m.depth - 1, text_for(nonce)},
                                                   any_timeout(random_, false)));
    const std::size_t ended = await_any(asks);
    const auto answer = asks[ended].try_await();
    (ended == 0 ? first : second).over(answer);
    if (answer && *answer != ended + 1) world_.books->wrong("the answer to another ask (S12)");
    asks.erase(asks.begin() + static_cast<std::ptrdiff_t>(1 - ended));
    (ended == 0 ? second : first).over(Outcome::given_up);
    return m.nonce + 1;
  }

 private:
  [[nodiscard]] bool may_wait_for_ever() const override { return false; }
  void pipe() {
    AskCount count{*world_.books};
    auto ask = world_.peers.any(random_).ask(Job{1, 1, text_for(1)}, any_timeout(random_, true));
    pipe_to_self(std::move(ask), [counted = std::move(count)](const auto& answer) mutable {
      counted.over(answer);
      return Tick{};
    });
  }
};

/// Handlers that read wait side by side. A reader that waits for itself, over others or not, behind
/// a message that is to write, waits for ever: no ring is seen there, so none waits without a
/// timeout.
class Reader final : public Player {
 public:
  static constexpr auto turns = readers_together;
  using Player::Player;
  using Player::receive;
  std::uint64_t receive(const Job& m) const {
    Random random = world_.new_random();
    if (m.depth > 0 && !world_.is_calm) ask_any(world_, random, m.depth - 1, false);
    return m.nonce + 1;
  }
};

/// An actor is among the peers while this lives.
class Presence {
 public:
  Presence(World& world, Random& random, const Peer& self) : world_(world), self_(self) {
    world.peers.add(random, self);
  }
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;
  ~Presence() { world_.peers.remove(self_); }

 private:
  World& world_;
  const Peer self_;
};

/// One function that receives when it wants to, and now and then only what it wants.
class Loner {
 public:
  explicit Loner(World* world) : world_(world) {}
  void operator()(Process<Work, Job, Fetch, ReadRows, Terminated>& self) const {
    Random random = world_->new_random();
    const Presence presence(*world_, random, Peer{self.ref()});
    for (int turns = 0; turns < 200;) {
      receive_any(self);
      if (world_->is_calm) continue;
      ++turns;
      if (random.chance(0.1)) receive_fuel_only(self);
      if (random.chance(0.1)) ask_any(*world_, random, 1, false);
      if (random.chance(0.1)) self.watch(world_->peers.any(random));
      if (random.chance(0.005)) throw std::runtime_error("by chance");
    }
  }

 private:
  template <class Self>
  void receive_any(Self& self) const {
    self.receive([&](const Work&) { world_->books->work_handled(); },
                 [](const Job& m, ReplyTo<std::uint64_t> reply) { reply(m.nonce + 1); },
                 [](const Fetch& m, ReplyTo<std::string> reply) { reply(text_for(m.nonce)); },
                 [](const ReadRows&, StreamTo<Row> out) { out.refuse("a loner has no rows"); },
                 [](const Terminated&) {}, after(100ms, [] {}));
  }
  template <class Self>
  void receive_fuel_only(Self& self) const {
    self.receive(when([](const Work& m) { return m.fuel > 0; },
                      [&](const Work&) { world_->books->work_handled(); }),
                 after(2ms, [] {}));
  }
  World* world_;
};

MailboxOptions any_mailbox(World& world, Random& random) {
  if (random.chance(0.6)) return {};
  if (random.chance(0.2)) {
    MailboxOptions sorted;
    sorted.priorities = {priority_of<Job>(0), priority_of<Fetch>(1)};
    return sorted;
  }
  const Overflow policies[] = {Overflow::fail,     Overflow::wait,     Overflow::drop_new,
                               Overflow::drop_old, Overflow::redirect, Overflow::transform};
  MailboxOptions options = bounded(1 + random.below(4), policies[random.below(6)]);
  const Peer other = world.peers.any(random);
  if (!other) options.on_full = Overflow::fail;
  if (options.on_full == Overflow::redirect) options.redirect_to = other;
  if (options.on_full == Overflow::transform) {
    options.transforms = {transform_of<Work>(other, [books = world.books](Work&& m) {
      books->work_transformed();
      return m;
    })};
  }
  return options;
}

Factory<Api> any_factory(World& world, Random& random, Habits habits) {
  World* const w = &world;
  switch (random.below(9)) {
    case 0:
    case 1: return factory<Api, Waiter>(w, habits);
    case 2:
    case 3: return factory<Api, Coroutine>(w, habits);
    case 4:
    case 5: return factory<Api, Keeper>(w, habits);
    case 6: return factory<Api, Hoarder>(w, habits);
    case 7: return factory<Api, Juggler>(w, habits);
    default: return factory<Api, Reader>(w, habits);
  }
}

}  // namespace

Role any_role(World& world, Random& random, std::uint32_t level) {
  if (random.chance(0.1)) {
    auto loner = process([run = Loner{&world}](
                             Process<Work, Job, Fetch, ReadRows, Terminated>& self) { run(self); });
    return {loner, {}};
  }
  SpawnOptions options;
  options.mailbox = any_mailbox(world, random);
  options.trap_exit = random.chance(0.4);
  options.stay_on_worker = random.chance(0.1);
  options.stash_max = 8;
  if (random.chance(0.2)) options.stop_timeout = Duration(1ms) * random.below(50);
  options.restart_keeps_stash = random.chance(0.5);
  return {any_factory(world, random, {level, options.trap_exit}), options};
}

Factory<Api> routee(World& world) {
  return factory<Api, Waiter>(&world, Habits{2, false});
}

}  // namespace troupe::soak
