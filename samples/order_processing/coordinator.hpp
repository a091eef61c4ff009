// The coordinator: supervises the processors, hands orders out, hands them out again when a
// processor fails, and keeps the statistics (what a crashing child keeps is lost).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <troupe/supervision/supervisor.hpp>

#include "processor.hpp"

namespace orders {

enum class Route : std::uint8_t { round_robin, least_loaded };

struct Settings {
  std::size_t processors = 4;
  Route route = Route::round_robin;
  double crash_rate = 0;
  std::uint64_t seed = 1;
};

/// Orders to process. Answered when each has its outcome.
struct Batch {
  std::vector<OrderPtr> orders;
  using Reply = void;
};
struct ProcessorStatistics {
  std::uint64_t orders_processed = 0;
  Cents revenue = 0;
  std::uint64_t restarts = 0;
};
struct Statistics {
  std::vector<ProcessorStatistics> processors;
  std::array<std::uint64_t, outcome_count> outcomes{};
  std::uint64_t submitted = 0;
  Cents revenue = 0;
  std::int64_t units_sold = 0;
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

class Coordinator : public troupe::Supervisor<CoordinatorApi, troupe::Private<Finished>> {
 public:
  Coordinator(Settings settings, troupe::Ref<PaymentApi> payments,
              troupe::Ref<InventoryApi> inventory);
  void on_start() override;
  void receive(Batch&& m, troupe::ReplyTo<void> done);
  void receive(Finished&& m);
  void receive(const troupe::Down& m);
  Statistics receive(const GetStatistics&) const { return statistics_; }

 private:
  static constexpr std::uint32_t attempts_max = 10;
  void assign(const std::shared_ptr<Assignment>& assignment);
  std::size_t choose();
  void settle(const Assignment& assignment, Outcome outcome);

  Settings settings_;
  troupe::Ref<PaymentApi> payments_;
  troupe::Ref<InventoryApi> inventory_;
  std::vector<troupe::Ref<OrderProcessor>> processors_;
  std::vector<std::size_t> load_;  ///< orders with each processor
  std::size_t next_ = 0;
  Statistics statistics_;
};

}  // namespace orders
