// An order, and how it can end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "money.hpp"

namespace orders {

struct Item {
  std::string product;
  std::int64_t quantity = 0;
};

struct Order {
  std::string id;
  std::string user_id;
  std::vector<Item> items;
  Cents total = 0;
  std::string timestamp;
};
using OrderPtr =
    std::shared_ptr<const Order>;  // never changed once read, so that it can be handed out again

enum class Outcome : std::uint8_t { success, rejected, payment_failed, out_of_stock, error };
inline constexpr std::size_t outcome_count = 5;
inline constexpr const char* outcome_names[outcome_count] = {
    "success", "rejected", "payment_failed", "out_of_stock", "error"};

}  // namespace orders
