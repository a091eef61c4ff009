// What the remote workloads do alike on every peer.
#pragma once

#include "../measure.hpp"

namespace bench {

inline constexpr std::size_t remote_items_64 = 1'000'000;
inline constexpr std::size_t remote_items_1k = 300'000;
inline constexpr std::size_t remote_send_every = 64;  ///< the others are told
inline constexpr std::size_t remote_round_trips = 50'000;
inline constexpr std::size_t remote_warm_up = 5'000;
inline constexpr double remote_rate = 20'000;  ///< requests a second, of the open loop
inline constexpr std::size_t remote_requests = 60'000;
inline constexpr std::size_t remote_large_bytes = std::size_t{64} << 20;
inline constexpr double remote_rate_beside_large = 1'000;
inline constexpr std::size_t remote_requests_beside_large = 5'000;

}  // namespace bench
