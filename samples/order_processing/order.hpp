// An order, and how it can end.
#pragma once

#include <cstddef>

#include <troupe/codec/shared.hpp>

#include "common/money.hpp"
#include "orders.capnp.hpp"

namespace orders {

using samples::Cents;
using samples::format_money;
using samples::parse_money;
using OrderPtr = troupe::codec::Shared<Order>;

inline constexpr std::size_t outcome_count = 5;

}  // namespace orders
