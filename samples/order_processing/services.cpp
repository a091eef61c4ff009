#include "services.hpp"

#include <utility>

#include <troupe/runtime/random.hpp>

namespace orders {

double chance_of(std::uint64_t seed, const std::string& id, std::uint64_t salt) {
  return troupe::Random{seed * 0x9E3779B97F4A7C15ull + salt}.split(id).unit();
}

bool PaymentGateway::receive(const Charge& m) {
  const auto [at, is_new] = steps_.try_emplace(m.order->id);
  if (is_new && chance_of(seed_, m.order->id, 1) >= decline_rate_) {
    at->second.charged = true;
    totals_.charged += m.order->total;
  }
  return at->second.charged;
}

void PaymentGateway::receive(const Refund& m) {
  Steps& steps = steps_[m.order->id];  // from now on also where it was not charged yet
  if (std::exchange(steps.refunded, true) || !steps.charged) return;
  totals_.refunded += m.order->total;
}

Inventory::Inventory(Stock stock) : stock_(std::move(stock)) {
  totals_.is_limited = true;
  for (const auto& [product, units] : stock_) totals_.at_start += units;
}

bool Inventory::receive(const Reserve& m) {
  const auto [at, is_new] = reserved_.try_emplace(m.order->id, false);
  if (is_new) at->second = take(*m.order);
  return at->second;
}

/// All of it or nothing.
bool Inventory::take(const Order& order) {
  std::int64_t units = 0;
  for (std::size_t i = 0; i < order.items.size(); ++i) {
    const Item& item = order.items[i];
    units += item.quantity;
    if (!totals_.is_limited) continue;
    const auto found = stock_.find(item.product);
    if (found != stock_.end() && found->second >= item.quantity) {
      found->second -= item.quantity;
      continue;
    }
    while (i-- > 0) stock_[order.items[i].product] += order.items[i].quantity;
    return false;
  }
  totals_.taken += units;
  return true;
}

void Inventory::receive(const PutBack& m) {
  if (!std::exchange(reserved_[m.order->id], false)) return;  // nor is it reserved later
  for (const Item& item : m.order->items) {
    if (totals_.is_limited) stock_[item.product] += item.quantity;
    totals_.taken -= item.quantity;
  }
}

StockTotals Inventory::receive(const GetStockTotals&) const {
  StockTotals totals = totals_;
  for (const auto& [product, units] : stock_) totals.left += units;
  return totals;
}

}  // namespace orders
