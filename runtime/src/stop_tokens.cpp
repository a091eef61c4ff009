// Stop tokens of asks: how whoever answers hears that the asker gave up.
//
// Few asks have one: they lie in a table beside the slots. Who takes a token marks the slot and
// then looks whether the ask is still open; who gives up closes it and then looks at the mark.
#include <mutex>
#include <stop_token>
#include <unordered_map>

#include "ask_slots.hpp"

namespace troupe::detail {

namespace {

struct StopTable {
  std::mutex lock;
  std::unordered_map<const AskSlot*, std::stop_source> sources;
};
StopTable& stop_table() {
  static auto* table = new StopTable;  // never destroyed: slots outlive every System
  return *table;
}

}  // namespace

void end_stop_token(AskSlot& slot, bool gave_up) noexcept {
  if (!slot.has_stop.load(std::memory_order_seq_cst)) return;  // pair: stop_token_of
  std::stop_source source{std::nostopstate};
  {
    StopTable& table = stop_table();
    std::lock_guard guard(table.lock);
    const auto found = table.sources.find(&slot);
    if (found == table.sources.end()) return;
    source = std::move(found->second);
    table.sources.erase(found);
    slot.has_stop.store(false, std::memory_order_seq_cst);
  }
  if (gave_up) source.request_stop();
}

std::stop_token stop_token_of(const RequestPort& port) {
  if (port.slot == nullptr) return {};
  StopTable& table = stop_table();
  std::lock_guard guard(table.lock);
  port.slot->has_stop.store(true, std::memory_order_seq_cst);
  if (port.slot->state(port.generation) != SlotState::pending) {
    std::stop_source over;
    over.request_stop();
    return over.get_token();
  }
  return table.sources.try_emplace(port.slot).first->second.get_token();
}

}  // namespace troupe::detail
