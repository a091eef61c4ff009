// The coordinator: has processors, here or on other nodes, hands orders out, hands them out again
// when a processor fails or its node is lost, and keeps the statistics (what a crashing child keeps
// is lost).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <troupe/remoting/node.hpp>
#include <troupe/supervision/supervisor.hpp>

#include "processor.hpp"

namespace orders {

enum class Route : std::uint8_t { round_robin, least_loaded };

struct Settings {
  std::size_t processors = 4;
  Route route = Route::round_robin;
  double crash_rate = 0;
  std::uint64_t seed = 1;
  /// Addresses of the nodes that processors run on; empty: they run here.
  std::vector<std::string> nodes = {};
  /// So long an order waits where no node can be reached, before it ends as an error.
  troupe::Duration patience = std::chrono::seconds(30);
};

/// Orders to process. Answered when each has its outcome.
struct Batch {
  std::shared_ptr<const std::vector<OrderPtr>> orders;  ///< not null
  using Reply = void;
};
struct ProcessorStatistics {
  std::uint64_t orders_processed = 0;
  Cents revenue = 0;
  std::uint64_t restarts = 0;
  std::string node = "local";  ///< the address of the one it was on last, or "none"; "local": here
};
struct Statistics {
  std::vector<ProcessorStatistics> processors;
  std::array<std::uint64_t, outcome_count> outcomes{};
  std::uint64_t submitted = 0;
  Cents revenue = 0;
  std::int64_t units_sold = 0;
  std::uint64_t given_up = 0;  ///< ended as errors because no node could be reached
};
struct GetStatistics {
  using Reply = Statistics;
};
struct CoordinatorApi : troupe::Protocol<Batch, GetStatistics> {};

/// One order under way.
struct Assignment;
struct Finished {
  std::shared_ptr<Assignment> assignment;
  troupe::Result<Outcome, troupe::AskError> result;
};
/// A processor on another node is to be had, and what came of that.
struct Place {
  std::size_t processor;
};
struct Placed {
  std::size_t processor;
  troupe::Result<troupe::Ref<Processing>, troupe::AskError> result;
};
/// Orders may have waited for as long as patience lasts.
struct GiveUp {};

/// Nodes that were full may have room.
struct Room {};

/// `node` is needed where the settings name other nodes (UsageError else); it outlives the actor.
class Coordinator
    : public troupe::Supervisor<CoordinatorApi, Crashed,
                                troupe::Private<Finished, Place, Placed, GiveUp, Room>> {
 public:
  Coordinator(Settings settings, troupe::Ref<PaymentApi> payments,
              troupe::Ref<InventoryApi> inventory, troupe::remoting::Node* node = nullptr);
  void on_start() override;
  void receive(Batch&& m, troupe::ReplyTo<void> done);
  void receive(Finished&& m);
  void receive(const Place& m) { place(m.processor); }
  void receive(const Placed& m);
  void receive(const GiveUp&);
  void receive(const Room&);
  void receive(const Crashed& m);
  void receive(const troupe::Down& m);
  Statistics receive(const GetStatistics&) const { return statistics_; }

 private:
  struct Processor {
    troupe::Ref<Processing> ref;  ///< empty: it is on its way
    std::size_t node = 0;         ///< of Settings::nodes
    std::size_t load = 0;         ///< orders with it
    unsigned failures = 0;        ///< in a row, to be placed
    bool is_full = false;         ///< what is sent to its node finds no room
  };
  static constexpr std::uint32_t attempts_max = 10;

  /// With one on another node: enough that it never waits, and what is lost with it is little.
  static constexpr std::size_t window = 32;
  [[nodiscard]] bool is_local() const { return settings_.nodes.empty(); }
  void place(std::size_t processor);
  void lost(std::size_t processor, const std::string& why);
  [[nodiscard]] bool has_processor() const;
  void await_processors();
  [[nodiscard]] troupe::Duration patience_left(const Assignment& longest) const;
  void enqueue(const std::shared_ptr<Assignment>& assignment);
  void hand_out();
  void wait_for_room(const std::shared_ptr<Assignment>& assignment);
  [[nodiscard]] std::size_t choose();
  void fail(const std::shared_ptr<Assignment>& assignment);
  void settle(const Assignment& assignment, Outcome outcome);

  Settings settings_;
  ProcessorTerms terms_;
  troupe::Ref<PaymentApi> payments_;
  troupe::Ref<InventoryApi> inventory_;
  troupe::remoting::Node* node_;
  std::vector<Processor> processors_;
  std::size_t next_ = 0;
  std::deque<std::shared_ptr<Assignment>> waiting_;  ///< for a processor with room
  troupe::TimePoint no_processor_since_;             ///< if there is none
  Statistics statistics_;
};

}  // namespace orders
