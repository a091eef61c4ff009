#include <troupe/runtime/stream.hpp>

#include "ask_slots.hpp"
#include "cell.hpp"
#include "scheduler/worker.hpp"

namespace troupe::detail {

Address callee_of(const RequestPort& port) noexcept {
  return port.slot->callee_address();
}

Address this_actor() noexcept {
  const Worker* worker = Worker::current();
  return worker != nullptr && worker->cell != nullptr ? worker->cell->address() : Address{};
}

RequestPort open_stream_slot(const Address& peer, std::chrono::nanoseconds timeout,
                             void (*destroy)(void* answer) noexcept) {
  const Worker* worker = Worker::current();
  const Cell* self = worker != nullptr ? worker->cell : nullptr;
  // A writer waits for its reader, who is unknown, and not for itself.
  return open_slot(peer.cell == self ? Address{} : peer, timeout, destroy);
}

}  // namespace troupe::detail
