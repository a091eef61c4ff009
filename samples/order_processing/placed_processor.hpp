// A processor on another node than its coordinator's.
#pragma once

#include <troupe/supervision/supervisor.hpp>

#include "processor.hpp"

namespace orders {

/// Supervises it where it runs, so that a crash costs the one order that it was at: those that wait
/// keep waiting, and nothing goes over the network but a report. Ends with its coordinator, or the
/// connection to it.
class PlacedProcessor : public troupe::Supervisor<Processing> {
 public:
  explicit PlacedProcessor(PlaceProcessor place);
  void on_start() override;
  troupe::Forwarded<Outcome> receive(Process&& m) { return forward(processor_, std::move(m)); }
  void receive(const troupe::Down& m);

 private:
  PlaceProcessor place_;
  troupe::Ref<OrderProcessor> processor_;
};

}  // namespace orders
