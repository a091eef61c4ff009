#include "placed_processor.hpp"

#include <utility>

namespace orders {

PlacedProcessor::PlacedProcessor(PlaceProcessor place)
    : Supervisor{restarts_of_processors()}, place_(std::move(place)) {}

void PlacedProcessor::on_start() {
  processor_ = start_child<OrderProcessor>({.id = "processor"}, place_.terms);
  monitor(processor_, troupe::each_incarnation);
}

void PlacedProcessor::receive(const troupe::Down& m) {
  if (m.restarted) place_.coordinator.tell(Crashed{place_.number});
}

}  // namespace orders
