// A processor: takes one order through its steps. May crash at any of them; keeps nothing that must
// not be lost.
#pragma once

#include <troupe/supervision/supervisor.hpp>

#include "services.hpp"

namespace orders {

/// Injected crashes come by the thousand and are each independent of the last, so the window is
/// wide open: what it is to catch is a processor that can't start at all, which fails far more
/// often than this in a second.
inline troupe::SupervisorOptions restarts_of_processors() {
  return {
      .strategy = troupe::one_for_one, .restarts_max = 100'000, .within = std::chrono::seconds(1)};
}

struct InjectedCrash : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class OrderProcessor : public troupe::Actor<Processing> {
 public:
  explicit OrderProcessor(ProcessorTerms terms) : terms_(std::move(terms)) {}

  Outcome receive(const Process& m) {
    if (m.order->total <= 0) return Outcome::rejected;  // "Invalid total"
    maybe_crash(m, 2);
    if (!terms_.payments.ask(Charge{m.order}).await()) return Outcome::payment_failed;
    maybe_crash(m, 3);
    if (terms_.stockroom.ask(Reserve{m.order}).await()) {
      maybe_crash(m, 4);
      return Outcome::success;
    }
    terms_.payments.ask(Refund{m.order}).await();
    return Outcome::out_of_stock;
  }

 private:
  void maybe_crash(const Process& m, std::uint64_t step) const {
    if (terms_.crash_rate > 0 &&
        chance_of(terms_.seed, m.order->id, step * 1000 + m.attempt) < terms_.crash_rate) {
      throw InjectedCrash("injected crash");
    }
  }
  ProcessorTerms terms_;
};

}  // namespace orders
