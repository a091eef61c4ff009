#include "coordinator.hpp"

#include <algorithm>
#include <chrono>
#include <string>

namespace orders {

namespace {

using namespace std::chrono_literals;

/// The batch's asker is answered when its last order lets go of this.
struct BatchUnderWay {
  explicit BatchUnderWay(troupe::ReplyTo<void> reply) : done(std::move(reply)) {}
  troupe::ReplyTo<void> done;
  std::size_t left = 0;
};

}  // namespace

struct Assignment {
  OrderPtr order;
  std::shared_ptr<BatchUnderWay> batch;
  std::uint32_t attempt = 0;
  std::size_t processor = 0;
  bool may_still_run =
      false;  ///< an attempt timed out: it may ask for its steps yet, so its keys are kept
};

// Injected crashes come by the thousand and are each independent of the last, so the window is wide
// open: what it is to catch is a processor that can't start at all, which fails far more often than
// this in a second.
Coordinator::Coordinator(Settings settings, troupe::Ref<PaymentApi> payments,
                         troupe::Ref<InventoryApi> inventory)
    : Supervisor{{.strategy = troupe::one_for_one, .restarts_max = 100'000, .within = 1s}},
      settings_(settings),
      payments_(payments),
      inventory_(inventory) {}

void Coordinator::on_start() {
  statistics_.processors.resize(settings_.processors);
  load_.assign(settings_.processors, 0);
  for (std::size_t i = 0; i < settings_.processors; ++i) {
    processors_.push_back(start_child<OrderProcessor>({.id = "processor-" + std::to_string(i)},
                                                      payments_, inventory_, settings_.crash_rate,
                                                      settings_.seed));
    monitor(processors_.back(), troupe::each_incarnation);
  }
}

void Coordinator::receive(Batch&& m, troupe::ReplyTo<void> done) {
  auto batch = std::make_shared<BatchUnderWay>(std::move(done));
  batch->left = m.orders.size();
  statistics_.submitted += m.orders.size();
  if (m.orders.empty()) batch->done();
  for (OrderPtr& order : m.orders) {
    auto assignment = std::make_shared<Assignment>();
    assignment->order = std::move(order);
    assignment->batch = batch;
    assign(assignment);
  }
}

std::size_t Coordinator::choose() {
  if (settings_.route == Route::round_robin) return next_++ % processors_.size();
  return static_cast<std::size_t>(std::min_element(load_.begin(), load_.end()) - load_.begin());
}

void Coordinator::assign(const std::shared_ptr<Assignment>& assignment) {
  assignment->processor = choose();
  ++load_[assignment->processor];
  auto outcome =
      processors_[assignment->processor].ask(Process{assignment->order, assignment->attempt}, 30s);
  pipe_to_self(std::move(outcome), [assignment](troupe::Result<Outcome, troupe::AskError> result) {
    return Finished{assignment, std::move(result)};
  });
}

void Coordinator::receive(Finished&& m) {
  Assignment& a = *m.assignment;
  --load_[a.processor];
  if (m.result) {
    settle(a, *m.result);
    return;
  }
  if (m.result.error().kind == troupe::AskErrorKind::timeout) a.may_still_run = true;
  if (++a.attempt < attempts_max) {  // every step is idempotent: again
    assign(m.assignment);
    return;
  }
  payments_.tell(Refund{a.order});  // nothing may stay of an order that failed for good
  inventory_.tell(PutBack{a.order});
  settle(a, Outcome::error);
}

void Coordinator::settle(const Assignment& a, Outcome outcome) {
  ++statistics_.outcomes[static_cast<std::size_t>(outcome)];
  ProcessorStatistics& p = statistics_.processors[a.processor];
  ++p.orders_processed;
  if (outcome == Outcome::success) {
    p.revenue += a.order->total;
    statistics_.revenue += a.order->total;
    for (const Item& item : a.order->items) statistics_.units_sold += item.quantity;
  }
  if (!a.may_still_run) {
    payments_.tell(Forget{a.order});
    inventory_.tell(Forget{a.order});
  }
  if (--a.batch->left == 0) a.batch->done();
}

void Coordinator::receive(const troupe::Down& m) {
  if (!m.restarted) return;
  for (std::size_t i = 0; i < processors_.size(); ++i) {
    if (processors_[i] == m.who) ++statistics_.processors[i].restarts;
  }
}

}  // namespace orders
