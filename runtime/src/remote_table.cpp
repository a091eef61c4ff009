#include "remote_table.hpp"

#include <new>
#include <thread>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

#include "system_core.hpp"

namespace troupe::detail {

namespace {

/// Gates and what leads through them, for ever: stale refs may look at them at any time.
struct Kept {
  std::mutex lock;
  std::vector<SystemGate*> gates;
  std::vector<Cell*> stubs;
};
Kept& kept() {
  static auto* all = new Kept;
  return *all;
}

SystemGate* new_gate(RemoteTable* table) {
  auto* gate = new SystemGate;
  gate->remote = table;
  const std::lock_guard guard(kept().lock);
  return kept().gates.emplace_back(gate);
}
Cell* new_stub(SystemGate* gate, std::uint32_t high) {
  constexpr std::align_val_t as_in_a_slab{64};  // an ask slot keeps flags in the lower bits
  auto* stub = new (as_in_a_slab) Cell;
  stub->gate.store(gate, std::memory_order_release);  // partner: who looks at a ref's gate
  stub->serial = high;
  const std::lock_guard guard(kept().lock);
  return kept().stubs.emplace_back(stub);
}

SystemGate* gate_of(const Address& actor) noexcept {
  return actor.cell != nullptr ? actor.cell->gate.load(std::memory_order_acquire)
                               : nullptr;  // partner: the store at spawn
}
/// That stub's actor of this number's lower half.
Address address_in(Cell& stub, std::uint32_t low) noexcept {
  return {&stub, low, low};
}
std::uint64_t number_of(const Address& actor) noexcept {
  return std::uint64_t{actor.cell->serial} << 32 | actor.generation;
}

/// Whose turn this thread runs: in his order it goes (S88).
Address sender_here() noexcept {
  const Worker* const worker = Worker::current_here();
  return worker != nullptr && worker->cell != nullptr ? worker->cell->address() : Address{};
}

/// Tokens of those who wait for a stop: watches have a serial there, which is not 0.
constexpr std::uint64_t stop_tokens_max = std::uint64_t{1} << 32;

}  // namespace

RemoteTable::RemoteTable(SystemCore& core, std::shared_ptr<RemotePeer> peer, std::uint32_t ordinal)
    : core_(core), peer_(std::move(peer)), ordinal_(ordinal), gate_(new_gate(this)) {
  gate_->core.store(&core, std::memory_order_seq_cst);
}

RemoteTable::~RemoteTable() {
  // Pair: as in ~SystemCore.
  gate_->core.store(nullptr, std::memory_order_seq_cst);
  while (gate_->in_flight.load(std::memory_order_seq_cst) != 0) std::this_thread::yield();
  for (auto& [token, record] : watching_) delete record;
}

Address RemoteTable::address(std::uint64_t number) {
  const auto high = static_cast<std::uint32_t>(number >> 32);
  const auto low = static_cast<std::uint32_t>(number);
  const std::lock_guard guard(lock_);
  for (Cell* stub : stubs_)  // one, or a few
    if (stub->serial == high) return address_in(*stub, low);
  return address_in(*stubs_.emplace_back(new_stub(gate_, high)), low);
}

// ---- from here to there

void RemoteTable::send(Cell& stub, Command* command) noexcept {
  switch (command->kind) {
    case CommandKind::watch: send_watch(static_cast<WatchRecord*>(command)); return;
    case CommandKind::watch_fired: send_down(static_cast<WatchRecord*>(command)); return;
    case CommandKind::answered: take_remote_answer(static_cast<AskSlot&>(*command), *peer_); return;
    case CommandKind::exit_signal: send_exit(stub, static_cast<LinkRecord*>(command)); break;
    case CommandKind::unwatch: send_unwatch(static_cast<UnwatchCommand&>(*command)); break;
    case CommandKind::incarnation: {
      const auto& news = static_cast<IncarnationCommand&>(*command);
      peer_->signal({.kind = RemoteSignal::Kind::restarted,
                     .from = sender_here(),  // it tells of itself
                     .to = address_in(stub, news.to_generation),
                     .token = news.token,
                     .why = news.why});
      break;
    }
    case CommandKind::link: {
      const auto& link = static_cast<LinkCommand&>(*command);
      const Address to = address_in(stub, link.to_generation);
      add_link(link.from, to, &LinkAcross::my_id, link.id);
      peer_->signal(
          {.kind = RemoteSignal::Kind::link, .from = link.from, .to = to, .token = link.id});
      break;
    }
    case CommandKind::unlink: {
      const auto& unlink = static_cast<LinkCommand&>(*command);
      const Address to = address_in(stub, unlink.to_generation);
      take_back_link(unlink.from, to, unlink.id, unlink.other_id);
      peer_->signal({.kind = RemoteSignal::Kind::unlink,
                     .from = unlink.from,
                     .to = to,
                     .token = unlink.id,
                     .other_token = unlink.other_id});
      break;
    }
    case CommandKind::stop: send_stop(stub, static_cast<StopCommand&>(*command)); break;
    case CommandKind::kill:
      peer_->signal({.kind = RemoteSignal::Kind::kill,
                     .from = sender_here(),
                     .to = address_in(stub, command->to_generation)});
      break;
    default: break;  // administration: it is for a supervisor of one's own node
  }
  delete_command(command);
}

void RemoteTable::send_watch(WatchRecord* record) {
  const RemoteSignal signal{.kind = RemoteSignal::Kind::watch,
                            .from = record->watcher,
                            .to = record->target,
                            .token = record->token,
                            .flag = record->incarnations};
  {
    const std::lock_guard guard(lock_);
    watching_.emplace(record->token, record);
  }
  peer_->signal(signal);
}

void RemoteTable::send_unwatch(const UnwatchCommand& unwatch) {
  RemoteSignal signal{.kind = RemoteSignal::Kind::unwatch, .token = unwatch.token};
  {
    const std::lock_guard guard(lock_);
    const auto found = watching_.find(unwatch.token);
    if (found == watching_.end()) return;  // it is on its way back, or its node is gone
    signal.from = found->second->watcher;
    signal.to = found->second->target;
    delete found->second;
    watching_.erase(found);
  }
  peer_->signal(signal);
}

void RemoteTable::send_down(WatchRecord* record) {
  {
    const std::lock_guard guard(lock_);
    watched_.erase({number_of(record->watcher), record->token});
  }
  peer_->signal({.kind = RemoteSignal::Kind::down,
                 .from = record->target,
                 .to = record->watcher,
                 .token = record->token,
                 .why = record->why});
  delete record;
}

void RemoteTable::send_exit(Cell& stub, LinkRecord* record) {
  const Address to = address_in(stub, record->to_generation);
  if (record->by_link) forget_link(record->from, to);
  peer_->signal({.kind = RemoteSignal::Kind::exit,
                 .from = record->from,
                 .to = to,
                 .flag = record->by_link,
                 .why = record->why});
}

void RemoteTable::send_stop(Cell& stub, StopCommand& stop) {
  const Address to = address_in(stub, stop.to_generation);
  if (stop.waiter.slot != nullptr) {
    RemoteSignal watch{.kind = RemoteSignal::Kind::watch, .from = address(0), .to = to};
    {
      const std::lock_guard guard(lock_);
      watch.token = ++stops_ % stop_tokens_max;
      stopping_.emplace(watch.token, std::exchange(stop.waiter, {}));
    }
    peer_->signal(watch);
  }
  peer_->signal({.kind = RemoteSignal::Kind::stop,
                 .from = sender_here(),
                 .to = to,
                 .flag = stop.own_limit,
                 .why = stop.why,
                 .limit = stop.limit});
}

// ---- from there to here

void RemoteTable::put(const Address& from, const Address& to, Command* command) {
  put_command(core_, nullptr, *to.cell, command, from.serial);
}

void RemoteTable::deliver(const RemoteSignal& s) {
  switch (s.kind) {
    case RemoteSignal::Kind::watch: take_watch(s); break;
    case RemoteSignal::Kind::unwatch: take_unwatch(s); break;
    case RemoteSignal::Kind::down: take_down(s); break;
    case RemoteSignal::Kind::restarted: take_restarted(s); break;
    case RemoteSignal::Kind::link: take_link(s); break;
    case RemoteSignal::Kind::exit: take_exit(s); break;
    case RemoteSignal::Kind::unlink: {
      take_back_link(s.to, s.from, s.other_token, s.token);
      auto* unlink = new_command<LinkCommand>(CommandKind::unlink, s.to);
      unlink->from = s.from;
      unlink->id = s.token;
      unlink->other_id = s.other_token;
      put(s.from, s.to, unlink);
      break;
    }
    case RemoteSignal::Kind::stop: {
      auto* stop = new_command<StopCommand>(CommandKind::stop, s.to);
      stop->why = s.why;
      stop->limit = s.limit;
      stop->own_limit = s.flag;
      put(s.from, s.to, stop);
      break;
    }
    case RemoteSignal::Kind::poison: poison_actor(s.to); break;
    case RemoteSignal::Kind::kill:
      put(s.from, s.to, new_command<Command>(CommandKind::kill, s.to));
      break;
  }
}

void RemoteTable::take_watch(const RemoteSignal& s) {
  auto* record = new_command<WatchRecord>(CommandKind::watch, s.to);
  record->watcher = s.from;
  record->target = s.to;
  record->token = s.token;
  record->is_monitor = true;
  record->incarnations = s.flag;
  {
    const std::lock_guard guard(lock_);
    watched_[{number_of(s.from), s.token}] = {s.to, record};
  }
  put(s.from, s.to, record);
}

void RemoteTable::take_unwatch(const RemoteSignal& s) {
  WatchedHere watched{};
  {
    const std::lock_guard guard(lock_);
    const auto found = watched_.find({number_of(s.from), s.token});
    if (found == watched_.end()) return;  // its Down has crossed this
    watched = found->second;
    watched_.erase(found);
  }
  auto* unwatch = new_command<UnwatchCommand>(CommandKind::unwatch, watched.target);
  unwatch->record = watched.record;
  put(s.from, watched.target, unwatch);
}

void RemoteTable::take_down(const RemoteSignal& s) {
  WatchRecord* record = nullptr;
  RequestPort waiter;
  {
    const std::lock_guard guard(lock_);
    if (const auto found = watching_.find(s.token); found != watching_.end()) {
      record = found->second;
      watching_.erase(found);
    } else if (const auto stop = stopping_.find(s.token); stop != stopping_.end()) {
      waiter = stop->second;
      stopping_.erase(stop);
    }
  }
  if (record != nullptr) fire(record, s.why);
  if (waiter.slot != nullptr && s.why.kind() == ExitReason::Kind::no_connection) {
    fail_reply(waiter, AskErrorKind::no_connection, s.why.text());
  } else {
    answer_done(waiter);
  }
}

void RemoteTable::take_restarted(const RemoteSignal& s) {
  Address watcher;
  Address target;
  {
    const std::lock_guard guard(lock_);
    const auto found = watching_.find(s.token);
    if (found == watching_.end()) return;
    watcher = found->second->watcher;
    target = found->second->target;
  }
  auto* news = new_command<IncarnationCommand>(CommandKind::incarnation, watcher);
  news->token = s.token;
  news->why = s.why;
  put(target, watcher, news);
}

void RemoteTable::take_link(const RemoteSignal& s) {
  add_link(s.to, s.from, &LinkAcross::their_id, s.token);
  auto* link = new_command<LinkCommand>(CommandKind::link, s.to);
  link->from = s.from;
  link->id = s.token;
  put(s.from, s.to, link);
}

void RemoteTable::take_exit(const RemoteSignal& s) {
  if (s.flag) forget_link(s.to, s.from);
  auto* signal = new_command<LinkRecord>(CommandKind::exit_signal, s.to);
  signal->from = s.from;
  signal->why = s.why;
  signal->by_link = s.flag;
  put(s.from, s.to, signal);
}

void RemoteTable::fire(WatchRecord* record, const ExitReason& why) {
  record->kind = CommandKind::watch_fired;
  record->to_generation = record->watcher.generation;
  record->why = why;
  put(record->target, record->watcher, record);
}

void RemoteTable::add_link(const Address& local, const Address& remote,
                           std::uint64_t LinkAcross::*side, std::uint64_t id) {
  const std::lock_guard guard(lock_);
  LinkAcross& link = links_[{number_of(remote), local.serial}];
  link.local = local;
  link.*side = id;
}

/// What either side has asked for after that stays: see Cell::handle_unlink.
void RemoteTable::take_back_link(const Address& local, const Address& remote, std::uint64_t my_id,
                                 std::uint64_t their_id) {
  const std::lock_guard guard(lock_);
  const auto found = links_.find({number_of(remote), local.serial});
  if (found == links_.end()) return;
  LinkAcross& link = found->second;
  if (link.my_id == my_id) link.my_id = 0;
  if (link.their_id == their_id) link.their_id = 0;
  if (link.my_id == 0 && link.their_id == 0) links_.erase(found);
}

void RemoteTable::forget_link(const Address& local, const Address& remote) {
  const std::lock_guard guard(lock_);
  links_.erase({number_of(remote), local.serial});
}

void RemoteTable::lost(const ExitReason& why) {
  std::map<std::uint64_t, WatchRecord*> watching;
  std::map<std::uint64_t, RequestPort> stopping;
  std::map<WatcherKey, WatchedHere> watched;
  std::map<LinkKey, LinkAcross> links;
  {
    const std::lock_guard guard(lock_);
    watching.swap(watching_);
    stopping.swap(stopping_);
    watched.swap(watched_);
    links.swap(links_);
  }
  for (auto& [token, record] : watching) {
    if (mutant("down_is_skipped_when_a_node_is_lost")) {
      delete record;
      continue;
    }
    fire(record, why);
  }
  for (const auto& [key, link] : links) {
    const Address peer = address(key.first);
    auto* signal = new_command<LinkRecord>(CommandKind::exit_signal, link.local);
    signal->from = peer;
    signal->why = why;
    put(peer, link.local, signal);
  }
  for (const auto& [key, here] : watched) {
    auto* unwatch = new_command<UnwatchCommand>(CommandKind::unwatch, here.target);
    unwatch->record = here.record;
    put(address(key.first), here.target, unwatch);
  }
  for (const auto& [token, waiter] : stopping)
    fail_reply(waiter, AskErrorKind::no_connection, why.text());
}

// ---- for what connects nodes

RemoteActors::RemoteActors(System& system, std::shared_ptr<RemotePeer> peer, std::uint32_t ordinal)
    : table_(&system.core().add_remote(
          std::make_unique<RemoteTable>(system.core(), std::move(peer), ordinal))) {}

Address RemoteActors::actor(std::uint64_t number) {
  return table_->address(number);
}
void RemoteActors::deliver(const RemoteSignal& signal) {
  table_->deliver(signal);
}
void RemoteActors::lost(const ExitReason& why) {
  table_->lost(why);
}

std::optional<std::uint64_t> remote_number(const Address& actor) noexcept {
  const SystemGate* gate = gate_of(actor);
  if (gate == nullptr || gate->remote == nullptr) return std::nullopt;
  return number_of(actor);
}

std::optional<WireRef> remote_name(const Address& actor) {
  const auto number = remote_number(actor);
  if (!number) return std::nullopt;
  SystemGate* gate = gate_of(actor);
  WireRef name;
  if (gate->enter() != nullptr) {
    name = gate->remote->peer().name();
    gate->leave();
  }
  name.actor = *number;
  return name;
}

std::uint64_t order_of_nodes(const Address& actor) noexcept {
  SystemGate* gate = gate_of(actor);
  if (gate == nullptr || gate->remote == nullptr || gate->enter() == nullptr) return 0;
  const std::uint64_t order = std::uint64_t{gate->remote->ordinal()} << 32 | actor.cell->serial;
  gate->leave();
  return order;
}

const MessageType* type_of_schema(const Address& actor, std::uint64_t schema) noexcept {
  if (actor.cell == nullptr) return nullptr;
  const ActorType* type = actor.cell->type.load(std::memory_order_acquire);  // partner: spawn
  const bool is_hidden = !mutant("private_messages_come_from_afar");
  const std::uint32_t count = type == nullptr ? 0
                              : is_hidden     ? type->public_count
                                              : type->handler_count;
  for (std::uint32_t i = 0; i < count; ++i) {
    const MessageType* m = type->handlers[i].type;
    if (m->id == schema && m->codec != nullptr) return m;
  }
  return nullptr;
}

void report_remote_drop(System& system, const Address& from, const Address& to,
                        std::string_view type, DropReason reason) noexcept {
  system.core().dead_letters().add({Ref<>{from}, Ref<>{to}, type, reason});
}

void drop_remote(const Address& to, Envelope* e, DropReason reason, AskErrorKind kind,
                 std::string_view what) noexcept {
  gate_of(to)->remote->core().dead_letters().add(
      {Ref<>{e->from}, Ref<>{to}, e->type->text(), reason});
  const RequestPort port = take_port(e);
  if (port.slot != nullptr) fail_reply(port, kind, what);
  destroy_envelope(e);
}

void when_mail_is_taken(const Address& to, std::function<void()> passed) {
  send(to, make_notice(MailMark{std::move(passed)}));
}

Address find_path(System& system, std::string_view path) {
  return system.core().names().find(path).value_or(Address{});
}

}  // namespace troupe::detail
