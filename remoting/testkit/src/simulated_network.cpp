#include <troupe/remoting_testkit/simulated_network.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <system_error>
#include <utility>

#include <troupe/runtime/detail/check.hpp>

namespace troupe::testkit {

using remoting::Transport;
using remoting::Wire;
using remoting::WireUser;

namespace {
/// What a kernel keeps of what was sent: a sender with more on its way has to wait.
constexpr std::size_t window_bytes = 64 << 10;
}  // namespace

/// One direction of a cable.
struct SimulatedNetwork::Half {
  struct Piece {
    std::vector<std::byte> bytes;
    TimePoint due;
  };
  Cable* cable = nullptr;
  std::size_t side = 0;  ///< whose words it carries
  std::deque<Piece> pieces;
  std::size_t bytes = 0;  ///< on their way
  bool owes_sent = false;
  bool is_closed = false;  ///< the sender's end: seen by the other behind the bytes
};

/// A connection, or what may become one.
struct SimulatedNetwork::Cable {
  enum class State : std::uint8_t { dialed, open, over };
  State state = State::dialed;
  std::array<std::string, 2> addresses;  ///< dialer's, listener's
  std::array<Host*, 2> hosts{};          ///< null: gone
  std::array<WireUser*, 2> users{};      ///< null: it hears nothing more
  std::array<Half, 2> halves;
  std::array<bool, 2> is_broken{};  ///< its user is to hear of it
  TimePoint due;                    ///< of the opening
};

class SimulatedNetwork::Host final : public Transport {
 public:
  explicit Host(SimulatedNetwork& net) : net_(net), is_alive_(true) { net_.hosts_.push_back(this); }
  ~Host() override {
    stop();
    std::erase(net_.hosts_, this);
  }

  std::string listen(const std::string& wanted) override {
    const bool any_port = wanted.ends_with(":0");
    address = any_port ? wanted.substr(0, wanted.size() - 1) + std::to_string(++net_.ports_) : "";
    if (any_port) return address;
    if (net_.host_at(wanted) != nullptr)
      throw std::system_error(std::make_error_code(std::errc::address_in_use), wanted);
    return address = wanted;
  }
  void start(std::function<void(std::unique_ptr<Wire>)> accepted,
             std::function<void()> woken) override {
    accepted_ = std::move(accepted);
    woken_ = std::move(woken);
  }
  void stop() override { leave(true); }
  bool post(std::function<void()> f) override {
    if (is_alive_) tasks_.push_back(std::move(f));
    return is_alive_;
  }
  std::unique_ptr<Wire> dial(const std::string& to) override;
  void wake_at(TimePoint time) override { wake_at_ = time; }
  [[nodiscard]] TimePoint now() const override { return net_.world_->clock()->now(); }
  std::uint64_t new_incarnation() override { return ++net_.incarnations_; }

  void leave(bool is_heard) {
    if (!std::exchange(is_alive_, false)) return;
    tasks_.clear();
    for (const auto& cable : net_.cables_) {
      for (std::size_t side = 0; side < 2; ++side) {
        if (cable->hosts[side] != this) continue;
        cable->hosts[side] = nullptr;
        cable->users[side] = nullptr;
        cable->halves[side].is_closed = is_heard;
        cable->halves[side].owes_sent = false;
        if (!is_heard) cable->halves[side].pieces.clear();
      }
    }
  }
  void run_task() {
    const auto task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }
  void wake(TimePoint now) {
    if (!is_alive_ || wake_at_ > now) return;
    wake_at_ = TimePoint::max();
    woken_();
  }
  [[nodiscard]] bool has_task() const noexcept { return is_alive_ && !tasks_.empty(); }
  [[nodiscard]] bool is_listening() const noexcept { return is_alive_ && accepted_ != nullptr; }
  [[nodiscard]] bool is_alive() const noexcept { return is_alive_; }
  [[nodiscard]] TimePoint wake_time() const noexcept {
    return is_alive_ ? wake_at_ : TimePoint::max();
  }
  void accept(std::unique_ptr<Wire> wire) { accepted_(std::move(wire)); }
  std::string address;

 private:
  SimulatedNetwork& net_;
  bool is_alive_;
  std::deque<std::function<void()>> tasks_;
  std::function<void(std::unique_ptr<Wire>)> accepted_;
  std::function<void()> woken_;
  TimePoint wake_at_ = TimePoint::max();
};

/// One node's end of a cable.
class SimulatedNetwork::End final : public Wire {
 public:
  End(SimulatedNetwork& net, std::shared_ptr<Cable> cable, std::size_t side)
      : net_(net), cable_(std::move(cable)), side_(side) {}
  ~End() override { close(); }
  void start(WireUser& user) override {
    cable_->users[side_] = &user;
    if (side_ == 0) {
      net_.cables_.push_back(cable_);
    } else {
      user.opened({});
    }
  }
  void send(std::span<const std::uint64_t> words) override {
    Half& half = cable_->halves[side_];
    if (half.is_closed || cable_->hosts[side_] == nullptr) return;
    TROUPE_CHECK(!half.owes_sent, "two things are sent at a time");
    const auto bytes = std::as_bytes(words);
    half.pieces.push_back({{bytes.begin(), bytes.end()}, net_.arrival()});
    half.bytes += bytes.size();
    half.owes_sent = true;
  }
  /// The seed says how long.
  void rest(Duration) override {
    Half& half = cable_->halves[side_];
    TROUPE_CHECK(!half.owes_sent, "a rest while something is being sent");
    half.owes_sent = true;
  }
  void close() override {
    cable_->users[side_] = nullptr;
    if (cable_->hosts[side_] == nullptr) return;  // its node is gone, heard of or not
    cable_->halves[side_].is_closed = true;
  }
  [[nodiscard]] std::string other_end() const override { return cable_->addresses[1 - side_]; }

 private:
  SimulatedNetwork& net_;
  std::shared_ptr<Cable> cable_;
  std::size_t side_;
};

std::unique_ptr<Wire> SimulatedNetwork::Host::dial(const std::string& to) {
  auto cable = std::make_shared<Cable>();
  cable->addresses = {address, to};
  cable->hosts[0] = this;
  cable->due = net_.arrival();
  for (std::size_t side = 0; side < 2; ++side) {
    cable->halves[side].cable = cable.get();
    cable->halves[side].side = side;
  }
  return std::make_unique<End>(net_, std::move(cable), 0);
}

SimulatedNetwork::SimulatedNetwork(std::shared_ptr<SeededWorld> world) : world_(std::move(world)) {
  world_->add(*this);
}
SimulatedNetwork::~SimulatedNetwork() {
  world_->remove(*this);
}

std::unique_ptr<Transport> SimulatedNetwork::transport() {
  return std::make_unique<Host>(*this);
}

// ---- faults

void SimulatedNetwork::cut(const std::string& from, const std::string& to) {
  cuts_.emplace(from, to);
}
void SimulatedNetwork::cut_both(const std::string& a, const std::string& b) {
  cut(a, b);
  cut(b, a);
}
void SimulatedNetwork::heal(const std::string& from, const std::string& to) {
  cuts_.erase({from, to});
}
void SimulatedNetwork::heal_all() {
  cuts_.clear();
}
void SimulatedNetwork::delay(Duration min, Duration max) {
  delay_min_ = min;
  delay_max_ = max;
}

void SimulatedNetwork::reset(const std::string& a, const std::string& b) {
  for (const auto& cable : cables_) {
    const auto& [from, to] = cable->addresses;
    if ((from == a && to == b) || (from == b && to == a)) cable->is_broken = {true, true};
  }
}

void SimulatedNetwork::crash(const std::string& address, bool is_heard) {
  if (Host* host = host_at(address)) host->leave(is_heard);
}

// ---- steps

bool SimulatedNetwork::is_cut(const std::string& from, const std::string& to) const {
  return cuts_.contains({from, to});
}

SimulatedNetwork::Host* SimulatedNetwork::host_at(const std::string& address) const {
  for (Host* host : hosts_)
    if (host->address == address && host->is_alive()) return host;
  return nullptr;
}

TimePoint SimulatedNetwork::arrival() {
  const auto spread = static_cast<double>((delay_max_ - delay_min_).count());
  const auto extra = static_cast<std::int64_t>(world_->random().unit() * spread);
  return world_->clock()->now() + delay_min_ + Duration{extra};
}

/// Calls f with each step that is possible now: it takes it, or only counts.
template <class F>
void SimulatedNetwork::each_step(F f) {
  const TimePoint now = world_->clock()->now();
  for (Host* host : hosts_)
    if (host->has_task()) f([host] { host->run_task(); });
  for (const auto& cable : cables_) {
    for (std::size_t side = 0; side < 2; ++side) {
      WireUser* const user = cable->users[side];
      if (user != nullptr && cable->is_broken[side])
        f([c = cable, side, user] {
          c->is_broken[side] = false;
          c->halves[side].is_closed = true;
          c->halves[1 - side].pieces.clear();
          c->users[side] = nullptr;
          user->lost("connection reset");
        });
    }
    const auto& [from, to] = cable->addresses;
    if (cable->state == Cable::State::dialed) {
      const bool is_possible =
          cable->due <= now && cable->users[0] != nullptr && !is_cut(from, to) && !is_cut(to, from);
      if (is_possible) f([this, c = cable] { open(*c); });
      continue;
    }
    for (Half& half : cable->halves) {
      WireUser* const sender = cable->users[half.side];
      if (half.owes_sent && sender != nullptr && half.bytes <= window_bytes)
        f([&half, sender] {
          half.owes_sent = false;
          sender->sent();
        });
      if (can_move(half)) f([this, &half] { move(half); });
    }
  }
}

bool SimulatedNetwork::can_move(const Half& half) const {
  const Cable& cable = *half.cable;
  const std::size_t there = 1 - half.side;
  if (cable.users[there] == nullptr) return false;
  if (is_cut(cable.addresses[half.side], cable.addresses[there])) return false;
  if (half.pieces.empty()) return half.is_closed;
  return half.pieces.front().due <= world_->clock()->now();
}

/// Some of the bytes arrive, or the news that no more will.
void SimulatedNetwork::move(Half& half) {
  Cable& cable = *half.cable;
  const std::size_t there = 1 - half.side;
  WireUser* const user = cable.users[there];
  if (half.pieces.empty()) {
    cable.users[there] = nullptr;
    cable.halves[there].is_closed = true;
    user->lost("closed by the peer");
    return;
  }
  auto& piece = half.pieces.front().bytes;
  const auto space = user->space();
  std::size_t bytes = std::min(space.size(), piece.size());
  if (world_->random().below(4) == 0)
    bytes = 1 + world_->random().below(static_cast<std::uint32_t>(bytes));
  std::memcpy(space.data(), piece.data(), bytes);
  world_->note(bytes);
  piece.erase(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(bytes));
  if (piece.empty()) half.pieces.pop_front();
  half.bytes -= bytes;
  user->received(bytes);
}

void SimulatedNetwork::open(Cable& cable) {
  Host* const host = host_at(cable.addresses[1]);
  WireUser* const dialer = cable.users[0];
  if (host == nullptr || !host->is_listening()) {
    cable.state = Cable::State::over;
    cable.users[0] = nullptr;
    dialer->lost("connection refused");
    return;
  }
  cable.state = Cable::State::open;
  cable.hosts[1] = host;
  const auto found = std::find_if(cables_.begin(), cables_.end(),
                                  [&](const auto& c) { return c.get() == &cable; });
  host->accept(std::make_unique<End>(*this, *found, 1));
  if (cable.users[0] != nullptr) dialer->opened({});
}

std::size_t SimulatedNetwork::choices() {
  std::size_t count = 0;
  each_step([&](auto&&) { ++count; });
  return count;
}

void SimulatedNetwork::step(std::size_t choice) {
  std::function<void()> chosen;
  std::size_t at = 0;
  each_step([&](auto&& take) {
    if (at++ == choice) chosen = take;
  });
  world_->note(choice);
  chosen();
  std::erase_if(cables_, [](const auto& cable) {
    return cable->users[0] == nullptr && cable->users[1] == nullptr;
  });
}

std::optional<TimePoint> SimulatedNetwork::next_wake() {
  TimePoint first = TimePoint::max();
  const TimePoint now = world_->clock()->now();
  for (const Host* host : hosts_) first = std::min(first, host->wake_time());
  for (const auto& cable : cables_) {
    if (cable->state == Cable::State::dialed && cable->due > now)
      first = std::min(first, cable->due);
    for (const Half& half : cable->halves)
      if (!half.pieces.empty() && half.pieces.front().due > now)
        first = std::min(first, half.pieces.front().due);
  }
  if (first == TimePoint::max()) return std::nullopt;
  return first;
}

void SimulatedNetwork::wake(TimePoint now) {
  for (std::size_t i = 0; i < hosts_.size(); ++i) hosts_[i]->wake(now);
}

}  // namespace troupe::testkit
