#include "coordinator.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace orders {

using troupe::AskErrorKind;

namespace {

using namespace std::chrono_literals;

/// Between attempts to place a processor; doubled each time.
constexpr troupe::Duration backoff_min = 100ms;
constexpr unsigned doublings_max = 5;
/// Before what found no room is sent again.
constexpr troupe::Duration room_wait = 10ms;

/// The batch's asker is answered when its last order lets go of this.
struct BatchUnderWay {
  BatchUnderWay(Batch batch, troupe::ReplyTo<void> reply)
      : orders(std::move(batch.orders)), done(std::move(reply)), left(orders->size()) {}
  std::shared_ptr<const std::vector<OrderPtr>> orders;
  troupe::ReplyTo<void> done;
  std::size_t left;
};

/// It was not begun, or is over. Of any other, a step that was asked for may be on its way yet.
bool is_known_not_to_run(AskErrorKind failure) {
  return failure == AskErrorKind::mailbox_full || failure == AskErrorKind::refused ||
         failure == AskErrorKind::too_large || failure == AskErrorKind::unknown_type;
}

}  // namespace

struct Assignment {
  Assignment(const OrderPtr& o, std::shared_ptr<BatchUnderWay> b) : order(o), batch(std::move(b)) {}
  const OrderPtr& order;  ///< of the batch
  const std::shared_ptr<BatchUnderWay> batch;
  std::uint32_t attempt = 0;
  std::size_t processor = 0;
  troupe::Ref<Processing> asked;
  troupe::TimePoint waits_since;  ///< for a processor
  /// An attempt has an unknown outcome: it may ask for its steps yet, so its keys are kept.
  bool may_still_run = false;
};

Coordinator::Coordinator(Settings settings, troupe::Ref<PaymentApi> payments,
                         troupe::Ref<InventoryApi> inventory, troupe::remoting::Node* node)
    : Supervisor{restarts_of_processors()},
      settings_(std::move(settings)),
      terms_{payments, inventory, settings_.crash_rate, settings_.seed},
      payments_(payments),
      inventory_(inventory),
      node_(node) {
  if (!is_local() && node_ == nullptr)
    throw troupe::UsageError("processors on other nodes need a node here");
}

// ---- processors

void Coordinator::on_start() {
  no_processor_since_ = now();
  statistics_.processors.resize(settings_.processors);
  processors_.resize(settings_.processors);
  for (std::size_t i = 0; i < settings_.processors; ++i) {
    if (is_local()) {
      processors_[i].ref =
          start_child<OrderProcessor>({.id = "processor-" + std::to_string(i)}, terms_);
      monitor(processors_[i].ref, troupe::each_incarnation);
    } else {
      processors_[i].node = i % settings_.nodes.size();
      statistics_.processors[i].node = "none";
      place(i);
    }
  }
}

bool Coordinator::has_processor() const {
  return std::any_of(processors_.begin(), processors_.end(),
                     [](const Processor& p) { return p.ref != troupe::Ref<Processing>{}; });
}

troupe::Duration Coordinator::patience_left(const Assignment& longest) const {
  return settings_.patience - (now() - std::max(longest.waits_since, no_processor_since_));
}

/// The oldest of those that wait is to be looked at when its patience is over.
void Coordinator::await_processors() {
  if (!waiting_.empty() && !has_processor())
    start_timer("patience", patience_left(*waiting_.front()), GiveUp{});
}

void Coordinator::place(std::size_t processor) {
  const std::string& node = settings_.nodes[processors_[processor].node];
  auto placed = node_->spawn_on<Processing>(
      {.node = "troupe://" + node, .factory = "processor", .parent = self()},
      PlaceProcessor{terms_, static_cast<std::uint32_t>(processor), self()}, 10s);
  pipe_to_self(std::move(placed),
               [processor](troupe::Result<troupe::Ref<Processing>, troupe::AskError> result) {
                 return Placed{processor, std::move(result)};
               });
}

void Coordinator::receive(const Placed& m) {
  Processor& p = processors_[m.processor];
  std::string& node = statistics_.processors[m.processor].node;
  if (m.result) {
    p.ref = *m.result;
    p.failures = 0;
    node = settings_.nodes[p.node];
    monitor(p.ref);
    cancel_timer("patience");
    hand_out();
    return;
  }
  log().warning("processor " + std::to_string(m.processor) + " can't be placed on " +
                settings_.nodes[p.node] + ": " + m.result.error().what);
  p.node = (p.node + 1) % settings_.nodes.size();
  const auto wait = backoff_min * (1u << std::min(p.failures++, doublings_max));
  start_timer(m.processor, wait, Place{m.processor});
}

/// The next node gets it: its own is gone, or it could not be kept alive there.
void Coordinator::lost(std::size_t processor, const std::string& why) {
  Processor& p = processors_[processor];
  const std::string gone_from = settings_.nodes[p.node];
  p.ref = {};
  p.is_full = false;
  p.node = (p.node + 1) % settings_.nodes.size();
  ++statistics_.processors[processor].restarts;
  log().warning("processor " + std::to_string(processor) + " on " + gone_from + " is lost (" + why +
                "): it goes to " + settings_.nodes[p.node]);
  place(processor);
  if (!has_processor()) no_processor_since_ = now();
  await_processors();
}

void Coordinator::receive(const Crashed& m) {
  if (m.processor < processors_.size()) ++statistics_.processors[m.processor].restarts;
}

void Coordinator::receive(const troupe::Down& m) {
  for (std::size_t i = 0; i < processors_.size(); ++i) {
    if (processors_[i].ref != m.who) continue;
    if (m.restarted) ++statistics_.processors[i].restarts;
    if (!m.restarted && !is_local()) lost(i, m.why.to_string());
  }
}

// ---- orders

void Coordinator::receive(Batch&& m, troupe::ReplyTo<void> done) {
  const auto batch = std::make_shared<BatchUnderWay>(std::move(m), std::move(done));
  statistics_.submitted += batch->left;
  if (batch->left == 0) batch->done();
  for (const OrderPtr& order : *batch->orders) enqueue(std::make_shared<Assignment>(order, batch));
}

/// One that has room; processors_.size(): none has.
std::size_t Coordinator::choose() {
  const std::size_t count = processors_.size();
  std::size_t chosen = count;
  for (std::size_t tried = 0; tried < count; ++tried) {
    const std::size_t i = (next_ + tried) % count;
    const bool is_there = processors_[i].ref != troupe::Ref<Processing>{};
    const bool has_room = is_local() || (processors_[i].load < window && !processors_[i].is_full);
    if (!is_there || !has_room) continue;
    if (settings_.route == Route::round_robin) {
      next_ = i + 1;
      return i;
    }
    if (chosen == count || processors_[i].load < processors_[chosen].load) chosen = i;
  }
  return chosen;
}

void Coordinator::enqueue(const std::shared_ptr<Assignment>& assignment) {
  waiting_.push_back(assignment);
  hand_out();
  if (waiting_.empty()) return;
  assignment->waits_since = now();
  if (waiting_.size() == 1) await_processors();
}

void Coordinator::hand_out() {
  while (!waiting_.empty()) {
    const std::size_t chosen = choose();
    if (chosen == processors_.size()) return;
    const auto assignment = std::move(waiting_.front());
    waiting_.pop_front();
    Processor& p = processors_[chosen];
    ++p.load;
    assignment->processor = chosen;
    assignment->asked = p.ref;
    auto outcome = p.ref.ask(Process{assignment->order, assignment->attempt}, 30s);
    pipe_to_self(std::move(outcome),
                 [assignment](troupe::Result<Outcome, troupe::AskError> result) {
                   return Finished{assignment, std::move(result)};
                 });
  }
}

void Coordinator::receive(Finished&& m) {
  Assignment& a = *m.assignment;
  Processor& p = processors_[a.processor];
  --p.load;
  if (m.result) {
    p.is_full = false;
    settle(a, *m.result);
    hand_out();
    return;
  }
  const troupe::AskError& error = m.result.error();
  if (error.kind == AskErrorKind::mailbox_full) return wait_for_room(m.assignment);
  if (!is_known_not_to_run(error.kind)) a.may_still_run = true;
  const bool is_first_to_hear = error.kind == AskErrorKind::no_connection && p.ref == a.asked;
  if (is_first_to_hear) lost(a.processor, error.what);
  if (++a.attempt < attempts_max) {  // every step is idempotent: again
    enqueue(m.assignment);
  } else {
    fail(m.assignment);
  }
}

/// Back-pressure is no failed attempt.
void Coordinator::wait_for_room(const std::shared_ptr<Assignment>& assignment) {
  processors_[assignment->processor].is_full = true;
  start_timer("room", room_wait, Room{});
  enqueue(assignment);
}

void Coordinator::receive(const Room&) {
  for (Processor& p : processors_) p.is_full = false;
  hand_out();
}

void Coordinator::receive(const GiveUp&) {
  const std::size_t before = waiting_.size();
  while (!waiting_.empty() && patience_left(*waiting_.front()) <= 0s) {
    const auto assignment = std::move(waiting_.front());
    waiting_.pop_front();
    ++statistics_.given_up;
    fail(assignment);
  }
  log().error("no node can be reached: " + std::to_string(before - waiting_.size()) +
              " orders that waited for one end as errors");
  await_processors();
}

/// Nothing may stay of an order that failed for good.
void Coordinator::fail(const std::shared_ptr<Assignment>& assignment) {
  payments_.tell(Refund{assignment->order});
  inventory_.tell(PutBack{assignment->order});
  settle(*assignment, Outcome::error);
}

void Coordinator::settle(const Assignment& a, Outcome outcome) {
  ++statistics_.outcomes[static_cast<std::size_t>(outcome)];
  ProcessorStatistics& p = statistics_.processors[a.processor];
  const bool was_handed_out = a.asked != troupe::Ref<Processing>{};
  if (was_handed_out) ++p.orders_processed;
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

}  // namespace orders
