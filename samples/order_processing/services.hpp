// The payment gateway and the inventory: idempotent by order id and step, so that a step may be
// asked for again by whoever does not know whether it was done.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include <troupe/runtime/actor.hpp>

#include "order.hpp"

namespace orders {

/// The order has its outcome: nobody will ask for it again.
struct Forget {
  OrderPtr order;
};
struct PaymentTotals {
  Cents charged = 0;
  Cents refunded = 0;
};
struct GetPaymentTotals {
  using Reply = PaymentTotals;
};
struct PaymentApi : troupe::Protocol<Charge, Refund, Forget, GetPaymentTotals> {};

/// Charges each order at most once and refunds it at most once, however often it is asked; a charge
/// that comes after its refund, from a processor that was given up, is declined. Cards are declined
/// at a given rate, by seed and order id, so that a run can be repeated.
class PaymentGateway : public troupe::Actor<PaymentApi> {
 public:
  PaymentGateway(double decline_rate, std::uint64_t seed)
      : decline_rate_(decline_rate), seed_(seed) {}
  bool receive(const Charge& m);
  void receive(const Refund& m);
  void receive(const Forget& m) { steps_.erase(m.order->id); }
  PaymentTotals receive(const GetPaymentTotals&) const { return totals_; }

 private:
  struct Steps {
    bool charged = false;
    bool refunded = false;
  };
  double decline_rate_;
  std::uint64_t seed_;
  PaymentTotals totals_;
  std::unordered_map<std::string, Steps> steps_;  ///< of orders under way
};

/// Puts back what was reserved for an order that failed after all.
struct PutBack {
  OrderPtr order;
  using Reply = void;
};
struct StockTotals {
  std::int64_t at_start = 0;  ///< units; 0 when everything is always in stock
  std::int64_t left = 0;
  std::int64_t taken = 0;
  bool is_limited = false;
};
struct GetStockTotals {
  using Reply = StockTotals;
};
struct InventoryApi : troupe::Protocol<Reserve, PutBack, Forget, GetStockTotals> {};

using Stock = std::map<std::string, std::int64_t>;

class Inventory : public troupe::Actor<InventoryApi> {
 public:
  /// Everything is in stock.
  Inventory() = default;
  explicit Inventory(Stock stock);
  bool receive(const Reserve& m);
  void receive(const PutBack& m);
  void receive(const Forget& m) { reserved_.erase(m.order->id); }
  StockTotals receive(const GetStockTotals&) const;

 private:
  bool take(const Order& order);
  Stock stock_;
  StockTotals totals_;
  std::unordered_map<std::string, bool> reserved_;  ///< of orders under way
};

/// A number in [0, 1) from a seed, an id and a salt: the same in every run.
double chance_of(std::uint64_t seed, const std::string& id, std::uint64_t salt);

}  // namespace orders
