// A processor: takes one order through its steps. May crash at any of them; keeps nothing that must
// not be lost.
#pragma once

#include <troupe/runtime/actor.hpp>

#include "services.hpp"

namespace orders {

struct Process {
  OrderPtr order;
  std::uint32_t attempt = 0;  ///< counts how often the order was handed out
  using Reply = Outcome;
};

struct InjectedCrash : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class OrderProcessor : public troupe::Actor<Process> {
 public:
  OrderProcessor(troupe::Ref<PaymentApi> payments, troupe::Ref<InventoryApi> inventory,
                 double crash_rate, std::uint64_t seed)
      : payments_(payments), inventory_(inventory), crash_rate_(crash_rate), seed_(seed) {}

  Outcome receive(const Process& m) {
    if (m.order->total <= 0) return Outcome::rejected;  // "Invalid total"
    maybe_crash(m, 2);
    if (!payments_.ask(Charge{m.order}).await()) return Outcome::payment_failed;
    maybe_crash(m, 3);
    if (inventory_.ask(Reserve{m.order}).await()) {
      maybe_crash(m, 4);
      return Outcome::success;
    }
    payments_.ask(Refund{m.order}).await();
    return Outcome::out_of_stock;
  }

 private:
  void maybe_crash(const Process& m, std::uint64_t step) const {
    if (crash_rate_ > 0 && chance_of(seed_, m.order->id, step * 1000 + m.attempt) < crash_rate_) {
      throw InjectedCrash("injected crash");
    }
  }
  troupe::Ref<PaymentApi> payments_;
  troupe::Ref<InventoryApi> inventory_;
  double crash_rate_;
  std::uint64_t seed_;
};

}  // namespace orders
