// SimulatedNetwork: nodes of one SeededWorld, and what can happen to the bytes between them.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <troupe/remoting/transport.hpp>
#include <troupe/testkit/seeded_world.hpp>

namespace troupe::testkit {

/// Carries bytes as TCP does: in order, in pieces of any size, later or never. When each piece
/// arrives is the seed's choice. Its addresses are any texts. Thread safety: the test's thread
/// only.
class SimulatedNetwork final : public StepSource {
 public:
  explicit SimulatedNetwork(std::shared_ptr<SeededWorld> world);
  ~SimulatedNetwork() override;

  /// A node's end of it.
  [[nodiscard]] std::unique_ptr<remoting::Transport> transport();

  /// What `from` sends does not reach `to` any more, until heal; neither hears of that.
  void cut(const std::string& from, const std::string& to);
  void cut_both(const std::string& a, const std::string& b);
  void heal(const std::string& from, const std::string& to);
  void heal_all();
  /// What is sent takes so long from here on, at least and at most.
  void delay(Duration min, Duration max);
  /// Connections between the two break, and both hear of it.
  void reset(const std::string& a, const std::string& b);
  /// The node at this address is gone at once: nothing that it does reaches anybody. The others
  /// hear of it when `is_heard`, as where its machine lives on.
  void crash(const std::string& address, bool is_heard);

 private:
  class Host;
  class End;
  struct Half;
  struct Cable;

  // StepSource
  [[nodiscard]] std::size_t choices() override;
  void step(std::size_t choice) override;
  [[nodiscard]] std::optional<TimePoint> next_wake() override;
  void wake(TimePoint now) override;

  [[nodiscard]] bool is_cut(const std::string& from, const std::string& to) const;
  [[nodiscard]] Host* host_at(const std::string& address) const;
  [[nodiscard]] TimePoint arrival();
  template <class F>
  void each_step(F f);
  [[nodiscard]] bool can_move(const Half& half) const;
  void move(Half& half);
  void open(Cable& cable);

  const std::shared_ptr<SeededWorld> world_;
  std::vector<Host*> hosts_;
  std::vector<std::shared_ptr<Cable>> cables_;
  std::set<std::pair<std::string, std::string>> cuts_;
  Duration delay_min_{};
  Duration delay_max_{};
  std::uint64_t incarnations_ = 0;
  int ports_ = 0;
};

}  // namespace troupe::testkit
