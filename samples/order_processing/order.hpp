// An order, and how it can end.
#pragma once

#include <cstddef>

#include <troupe/codec/shared.hpp>

#include "money.hpp"
#include "orders.capnp.hpp"

namespace orders {

using OrderPtr = troupe::codec::Shared<Order>;

inline constexpr std::size_t outcome_count = 5;

}  // namespace orders
