// An order, and how it can end.
#pragma once

#include <array>
#include <cstddef>

#include <troupe/codec/shared.hpp>

#include "money.hpp"
#include "orders.capnp.hpp"

namespace orders {

using OrderPtr = troupe::codec::Shared<Order>;

inline constexpr std::size_t outcome_count = 5;
inline constexpr std::array<const char*, outcome_count> outcome_names{
    "success", "rejected", "payment_failed", "out_of_stock", "error"};

}  // namespace orders
