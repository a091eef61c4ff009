#include "hub.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace troupe::remoting::detail {

using troupe::detail::WireRef;

namespace {

/// Nobody can dial it.
bool is_any_address(const std::string& address) {
  return address.starts_with("0.0.0.0:") || address.starts_with("[::]:");
}

NodeOptions checked(NodeOptions options) {
  if (options.name.empty()) throw UsageError("a node needs a name, unique in its cluster");
  if (options.cluster.empty()) throw UsageError("a cluster's name can't be empty");
  if (options.advertised_address.empty() && is_any_address(options.address))
    throw UsageError("nobody can dial " + options.address +
                     ": give the node an advertised_address that leads to it");
  for (const char c : options.name + options.cluster)
    if (c == '/' || c == ' ') throw UsageError("names of nodes and clusters have no '/' and ' '");
  return options;
}

std::optional<ClusterKey> key_of(const NodeOptions& options) {
  if (!options.key_file.empty()) return ClusterKey::read(options.key_file);
  if (!options.key.empty()) return ClusterKey(options.key);
  return std::nullopt;
}

/// Connections that have not proven anything yet; the oldest makes room (section 7).
constexpr std::ptrdiff_t strangers_max = 64;
/// Nodes that refs have named. What they are told costs memory until this node ends.
constexpr std::size_t peers_max = 10'000;
/// Those are kept for ever: a host's name has 253 characters at most (RFC 1035, section 2.3.4).
constexpr std::size_t address_bytes_max = 260;

/// `advertised`, with the port that it came to be.
std::string with_port(const std::string& advertised, const std::string& listens) {
  if (!advertised.ends_with(":0")) return advertised;
  return advertised.substr(0, advertised.size() - 1) + listens.substr(listens.rfind(':') + 1);
}

/// Of the same node: another's says nothing of this one, whoever has the address now.
bool has_met_later_start(const Association& a, const NodeName& peer) {
  return a.peer != nullptr && a.node == peer.node && a.peer->incarnation() > peer.incarnation;
}

constexpr int heartbeats_missed_max = 2;  // a connection that missed more makes room for another

}  // namespace

Hub::Hub(System& system, NodeOptions options, Transport& transport)
    : system_(system),
      options_(checked(std::move(options))),
      transport_(transport),
      key_(key_of(options_)),
      jitter_(0) {
  connection_options_.handshake_max = options_.handshake_max;
  connection_options_.heartbeat_interval = options_.heartbeat_interval;
  connection_options_.detector = options_.detector;
  connection_options_.queue.messages_max = options_.waiting_messages_max;
  connection_options_.queue.bytes_max = options_.waiting_bytes_max;
  connection_options_.chunks.frame_words_max =
      options_.message_bytes_max / sizeof(Word) + message_head_words_max + 1;
  self_ = {options_.cluster, options_.name, options_.address, transport.new_incarnation()};
  jitter_ = Random{self_.incarnation};
}

void Hub::start() {
  self_.address = transport_.listen(options_.address);
  if (!options_.advertised_address.empty())
    self_.address = with_port(options_.advertised_address, self_.address);
  troupe::detail::set_ref_names(system_, shared_from_this());
  transport_.start(
      [this](std::unique_ptr<Wire> wire) {
        accept(std::move(wire));
        tidy();
      },
      [this] {
        wake();
        tidy();
      });
}

WireRef Hub::name(const Address& actor) {
  return {self_.incarnation, numbers_.of(actor), troupe::detail::kept_for_ever(self_.address)};
}

Address Hub::find(const WireRef& name) {
  if (name.node == self_.incarnation) return numbers_.find(name.actor);
  if (name.address.size() > address_bytes_max)
    throw codec::CodecError("a ref names a node by an address of more than " +
                            std::to_string(address_bytes_max) + " bytes");
  {
    const std::lock_guard guard(peers_lock_);
    if (peers_.size() >= peers_max && !peers_.contains(name.node))
      throw codec::CodecError("a ref names another node, and " + std::to_string(peers_max) +
                              " are known");
  }
  try {
    return peer_of(name.node, name.address)->actor(name.actor);
  } catch (const ProtocolError& e) {
    throw codec::CodecError(e.what());
  }
}

void Hub::log(LogLevel level, const std::string& text) const {
  if (system_.options().log != nullptr) system_.options().log->write(level, "node", text);
}

// ---- peers

std::shared_ptr<Peer> Hub::peer_of(std::uint64_t incarnation, std::string_view address) {
  const std::lock_guard guard(peers_lock_);
  auto& peer = peers_[incarnation];
  if (peer == nullptr) {
    peer = std::make_shared<Peer>(has_left_ ? nullptr : shared_from_this(), incarnation,
                                  troupe::detail::kept_for_ever(address));
    peer->set_actors(troupe::detail::RemoteActors(system_, peer, ++ordinals_));
  }
  return peer;
}

std::uint64_t Hub::number_of(const Address& actor) {
  if (actor.cell == nullptr || troupe::detail::remote_number(actor)) return 0;
  return numbers_.of(actor);
}

void Hub::wants_to_send(Peer& peer) {
  transport_.post([this, to = peer.shared_from_this()] {
    flush(to);
    tidy();
  });
}

void Hub::is_overrun(Peer& peer) {
  transport_.post([this, to = peer.shared_from_this()] {
    Association& a = association(std::string(to->address()));
    constexpr const char* why = "too many signals wait to be sent";
    if (a.peer == to && a.line != nullptr) {
      a.line->end(ConnectionEnd::given_up, why);
    } else {
      to->lost(why);
    }
    tidy();
  });
}

void Hub::flush(const std::shared_ptr<Peer>& peer) {
  Association& a = association(std::string(peer->address()));
  if (a.peer == peer) {
    a.line != nullptr ? a.line->connection().flush() : want_line(a);
  } else if (a.peer != nullptr && peer->incarnation() < a.peer->incarnation()) {
    peer->close("a later incarnation of that node was met");
  } else {
    hear_of(a, peer);
    want_line(a);
  }
}

/// A ref says that he is there; nobody has proven it.
void Hub::hear_of(Association& a, const std::shared_ptr<Peer>& peer) {
  if (a.next == peer) return;
  const bool is_later = a.next == nullptr || a.next->incarnation() < peer->incarnation();
  const auto given_up = is_later ? std::exchange(a.next, peer) : peer;
  if (given_up != nullptr) given_up->lost("a later incarnation of that node is heard of");
}

void Hub::reach(const std::string& address, WaitingRequest request) {
  if (address == self_.address) {
    request.here(*this);
    return;
  }
  Association& a = association(address);
  if (a.line != nullptr) {
    a.peer->request(request.write, std::move(request.done));
  } else {
    a.requests.push_back(std::move(request));
    want_line(a);
  }
  tidy();
}

// ---- what others have made here

void Hub::spawn_here(wire::Spawn spawn, std::uint64_t node, const Address& parent, Resolved done) {
  const auto answer = std::make_shared<SpawnAnswer>(std::move(done));
  const auto allowed = options_.factories.find(spawn.factory);
  if (allowed == options_.factories.end()) {
    log(LogLevel::warning, "a spawn by \"" + spawn.factory + "\", which is no factory here");
    answer->fail(AskErrorKind::refused, "that node has no factory \"" + spawn.factory + "\"");
    return;
  }
  const SpawnFactory& factory = allowed->second;
  if (factory.arguments_schema != spawn.arguments_schema) {
    answer->fail(AskErrorKind::unknown_type,
                 "the factory \"" + spawn.factory + "\" takes other arguments");
    return;
  }
  auto words = std::make_shared<std::vector<Word>>(spawn.arguments.size() / sizeof(Word));
  std::memcpy(words->data(), spawn.arguments.data(), words->size() * sizeof(Word));
  try {
    foster_of(node, spawn.parent, parent)
        .tell(SpawnChild{std::move(spawn.id),
                         [&factory, words, hub = shared_from_this()] {
                           return factory.make(*words, hub->system_);
                         },
                         std::move(spawn.schemas), answer});
  } catch (const std::exception& e) {  // the System is ending
    answer->fail(AskErrorKind::refused, e.what());
  }
}

Ref<SpawnChild> Hub::foster_of(std::uint64_t node, std::uint64_t number, const Address& parent) {
  const std::lock_guard guard(fosters_lock_);
  auto& foster = fosters_[{node, number}];
  if (foster == Ref<SpawnChild>{}) {
    const auto gone = [hub = weak_from_this(), node, number](const Ref<SpawnChild>& ended) {
      const auto there = hub.lock();
      if (there == nullptr) return;
      const std::lock_guard of_map(there->fosters_lock_);
      const auto found = there->fosters_.find({node, number});
      if (found != there->fosters_.end() && found->second == ended) there->fosters_.erase(found);
    };
    foster = system_.spawn<Foster>(Ref<>{parent}, gone);
  }
  return foster;
}

/// Those of the next epoch are others. They hear of the end of their parents too, but for one that
/// has not begun to watch, and would in the next epoch.
void Hub::end_fosters(std::uint64_t node) {
  const std::lock_guard guard(fosters_lock_);
  std::erase_if(fosters_, [&](const auto& entry) {
    const bool is_of_that_node = entry.first.first == node;
    if (is_of_that_node) troupe::detail::stop_actor(entry.second.address(), ExitReason::no_actor());
    return is_of_that_node;
  });
}

// ---- connections

Association& Hub::association(const std::string& called) {
  const auto alias = aliases_.find(called);
  const std::string& address = alias != aliases_.end() ? alias->second : called;
  auto& a = associations_[address];
  if (a == nullptr) a = std::make_unique<Association>(address, options_.backoff_min);
  return *a;
}

HandshakeTerms Hub::terms(HandshakeRole role, const Association* dialed,
                          const std::vector<std::string>& uris) {
  HandshakeTerms terms{.role = role,
                       .self = self_,
                       .meant_node = {},  // whoever is there now: what waits is for one incarnation
                       .meant_address = dialed != nullptr ? dialed->address : "",
                       .trust = ProvenByTls{uris},
                       .nonce = new_nonce(),
                       .admit = [this](const NodeName& peer) { return admit(peer); }};
  if (key_ && uris.empty()) terms.trust = *key_;
  return terms;
}

Line& Hub::add_line(std::unique_ptr<Wire> wire, HandshakeRole role, Association* dialed) {
  Line::Events events{
      .opened = [this, role, dialed](
                    const std::vector<std::string>& uris) { return terms(role, dialed, uris); },
      .ready = [this](Line& line, const NodeName& peer) { ready(line, peer); },
      .frame = [](Line& line, const Frame& frame) { line.association->peer->take(frame); },
      .over = [this](Line& line, ConnectionEnd end,
                     const std::string& why) { over(line, end, why); }};
  lines_.push_back(
      std::make_unique<Line>(transport_, std::move(wire), connection_options_, std::move(events)));
  lines_.back()->association = dialed;
  return *lines_.back();
}

void Hub::accept(std::unique_ptr<Wire> wire) {
  if (leaves_) return;
  make_room_for_a_stranger();
  add_line(std::move(wire), HandshakeRole::listener, nullptr).start();
}

void Hub::make_room_for_a_stranger() {
  const auto is_stranger = [](const auto& line) {
    return line->association == nullptr && !line->is_over();
  };
  if (std::count_if(lines_.begin(), lines_.end(), is_stranger) < strangers_max) return;
  const auto oldest = std::find_if(lines_.begin(), lines_.end(), is_stranger);
  (*oldest)->end(ConnectionEnd::lost, "too many wait for their handshake");
}

bool Hub::is_heard(const Association& a) const {
  const Duration silence = transport_.now() - a.line->connection().last_heard();
  return silence <= heartbeats_missed_max * options_.heartbeat_interval;
}

/// Not from within what a line tells.
void Hub::tidy_later() {
  if (!std::exchange(tidies_later_, true))
    transport_.post([this] {
      tidies_later_ = false;
      tidy();
    });
}

/// Whoever dials has proven who he is.
std::variant<std::uint64_t, RefuseReason> Hub::admit(const NodeName& peer) {
  if (leaves_) return RefuseReason::shutting_down;
  if (peer.node == self_.node) return RefuseReason::stale;  // it knows by now that it is not alone
  if (is_of_another(peer)) {
    log(LogLevel::warning, "node " + peer.node + " at " + peer.address +
                               " says that it is an incarnation that is another node's");
    return RefuseReason::identity;
  }
  Association& a = association(peer.address);
  if (has_met_later_start(a, peer)) return RefuseReason::stale;
  for (const auto& [address, other] : associations_) {
    const bool is_newer = other->node == peer.node && other->peer->incarnation() > peer.incarnation;
    if (!is_newer) continue;
    log(LogLevel::warning, "there are two nodes of the name " + peer.node + ": at " + address +
                               " and, started before it, at " + peer.address);
    return RefuseReason::stale;
  }
  const bool is_same = a.line != nullptr && a.peer->incarnation() == peer.incarnation;
  if (is_same) {
    if (is_heard(a)) return RefuseReason::duplicate;
    a.line->end(ConnectionEnd::given_up, "its peer dials again, and is not heard over it");
  }
  if (a.line != nullptr && a.node != peer.node && is_heard(a)) {
    log(LogLevel::warning, "node " + peer.node + " says that it is at " + peer.address +
                               ", where node " + a.node + " is");
    return RefuseReason::wrong_node;
  }
  const bool own_dial_wins = a.dialing != nullptr && self_.node < peer.node;
  if (own_dial_wins) return RefuseReason::duplicate;
  end_older(peer);
  return ++epochs_;
}

/// An incarnation is one start of one node: who has proven to be it stays that one. What refs have
/// said of it counts for nothing.
bool Hub::is_of_another(const NodeName& peer) {
  if (peer.incarnation == self_.incarnation) return true;
  if (const auto met = met_.find(peer.incarnation); met != met_.end())
    return met->second != std::pair{peer.node, peer.address};
  std::shared_ptr<Peer> heard_of;
  {
    const std::lock_guard guard(peers_lock_);
    const auto known = peers_.find(peer.incarnation);
    if (known == peers_.end()) return false;
    if (known->second->address() == peer.address && !known->second->is_closed()) return false;
    heard_of = known->second;
    peers_.erase(known);
  }
  heard_of->close("that incarnation is met at " + peer.address);
  return false;
}

/// A newer incarnation ends the old one on arrival (F11).
void Hub::end_older(const NodeName& peer) {
  for (const auto& [address, a] : associations_) {
    if (a->node != peer.node && address != peer.address) continue;
    if (a->line == nullptr || a->peer->incarnation() == peer.incarnation) continue;
    if (address != peer.address)
      log(LogLevel::warning, "there are two nodes of the name " + peer.node + ": at " +
                                 peer.address + " and, started before it, at " + address);
    a->line->end(ConnectionEnd::given_up, "a later incarnation of that node is there");
  }
}

void Hub::ready(Line& line, const NodeName& peer) {
  if (is_of_another(peer)) {
    line.end(ConnectionEnd::refused, "its incarnation is another node's");
    return;
  }
  met_[peer.incarnation] = {peer.node, peer.address};
  Association& a = association(peer.address);
  const auto met = peer_of(peer.incarnation, peer.address);
  if (has_met_later_start(a, peer)) {
    line.end(ConnectionEnd::refused, "a later incarnation of that node was met");
    return;
  }
  end_older(peer);
  if (a.line != nullptr && a.line != &line)  // it dialed, and was dialed
    a.line->end(ConnectionEnd::given_up, "another connection to that node is kept");
  if (Association* dialed = std::exchange(line.association, &a); dialed != nullptr) {
    if (dialed->dialing == &line) dialed->dialing = nullptr;
    if (dialed != &a) is_the_same(*dialed, a);
  }
  if (a.dialing != nullptr)
    std::exchange(a.dialing, nullptr)->end(ConnectionEnd::given_up, "that node has dialed");
  if (a.peer != nullptr && a.peer != met) a.peer->close("a later incarnation of that node was met");
  if (a.next != nullptr && a.next != met) a.next->lost("that incarnation is not there");
  a.next = nullptr;
  a.peer = met;
  a.node = peer.node;
  a.line = &line;
  a.stop_waiting();
  a.backoff = options_.backoff_min;
  ++counters_.connected;
  line.connection().use(met->queue());
  tidy_later();
  log(LogLevel::info, "connected with " + peer.node + " at " + peer.address);
  send_requests(a);
}

void Hub::send_requests(Association& a) {
  for (WaitingRequest& request : std::exchange(a.requests, {}))
    a.peer->request(request.write, std::move(request.done));
}

void Hub::fail_requests(Association& a, const std::string& why) {
  const AskError error{AskErrorKind::no_connection, why};
  for (WaitingRequest& request : std::exchange(a.requests, {})) request.done({}, &error);
}

/// Who was dialed there says that he is reached here.
void Hub::is_the_same(Association& dialed, Association& a) {
  if (dialed.peer != nullptr) return;  // another node once was there: it goes on meaning that one
  aliases_[dialed.address] = a.address;
  std::move(dialed.requests.begin(), dialed.requests.end(), std::back_inserter(a.requests));
  dialed.requests.clear();
  dialed.stop_waiting();
  if (a.line != nullptr) send_requests(a);
}

void Hub::over(Line& line, ConnectionEnd end, const std::string& why) {
  tidy_later();
  count(line, end);
  Association* a = line.association;
  if (a == nullptr) {
    const bool is_usual = end == ConnectionEnd::given_up || line.is_duplicate();
    log(is_usual ? LogLevel::info : LogLevel::warning,
        "no connection with whoever dialed from " + line.other_end() + ": " + why);
    return;
  }
  if (a->line == &line) {
    a->line = nullptr;
    const bool is_orderly = end == ConnectionEnd::goodbye;
    const std::string text =
        a->node + " at " + a->address + (is_orderly ? " said goodbye" : " is lost: " + why);
    log(is_orderly ? LogLevel::info : LogLevel::warning, text);
    a->peer->lost(text);
    end_fosters(a->peer->incarnation());
    if (a->wants_line) want_line(*a);
  } else if (a->dialing == &line) {
    a->dialing = nullptr;
    const NodeName* there = line.peer();
    if (there != nullptr && there->address != a->address &&
        association(there->address).line != nullptr)
      is_the_same(*a, association(there->address));
    dial_failed(*a, why);
  }
}

void Hub::count(const Line& line, ConnectionEnd end) {
  const bool was_ready = line.association != nullptr && line.association->line == &line;
  if (const auto refusal = line.refusal()) {
    ++(refusal->by_peer ? counters_.refused_by_peers : counters_.refused)[refusal->reason];
  } else if (end == ConnectionEnd::protocol_error) {
    ++counters_.protocol_errors;
  } else if (line.association == nullptr && end != ConnectionEnd::given_up) {
    ++counters_.strangers;
  }
  if (was_ready && end != ConnectionEnd::goodbye) ++counters_.lost;
}

NodeStatus Hub::status() const {
  NodeStatus status{.cluster = self_.cluster,
                    .name = self_.node,
                    .address = self_.address,
                    .incarnation = self_.incarnation,
                    .peers = {},
                    .counters = counters_};
  for (const auto& [address, a] : associations_) {
    if (aliases_.contains(address)) continue;
    PeerStatus& peer = status.peers.emplace_back();
    peer.name = a->node;
    peer.address = address;
    peer.is_connected = a->line != nullptr;
    if (a->line != nullptr) peer.silence = transport_.now() - a->line->connection().last_heard();
    if (a->peer == nullptr) continue;
    peer.incarnation = a->peer->incarnation();
    a->peer->describe(peer);
  }
  return status;
}

void Hub::want_line(Association& a) {
  a.wants_line = true;
  if (leaves_) return;
  const TimePoint now = transport_.now();
  if (a.give_up_at == TimePoint::max()) a.give_up_at = deadline_after(now, options_.connect_max);
  if (a.waits() && now >= a.dial_at) dial(a);
}

void Hub::dial(Association& a) {
  Line& line = add_line(transport_.dial(a.address), HandshakeRole::dialer, &a);
  a.dialing = &line;
  line.start();
}

void Hub::dial_failed(Association& a, const std::string& why) {
  const TimePoint now = transport_.now();
  const bool is_met = a.line != nullptr && a.next == nullptr;
  const bool is_first = a.backoff == options_.backoff_min;
  const double share = 0.5 + jitter_.unit() / 2;  // so that not all come at once
  a.dial_at = deadline_after(
      now, Duration{static_cast<Duration::rep>(static_cast<double>(a.backoff.count()) * share)});
  a.backoff = std::min(2 * a.backoff, options_.backoff_max);
  if (is_met || !a.wants_line) return;
  if (now >= a.give_up_at || a.dial_at > a.give_up_at) {
    give_up(a, why);
  } else if (is_first) {
    log(LogLevel::warning, "no connection with " + a.address + " yet: " + why);
  }
}

/// What waits for that node fails; what is sent later dials again.
void Hub::give_up(Association& a, const std::string& why) {
  a.stop_waiting();
  const std::string text = "no connection with " + a.address + ": " + why;
  log(LogLevel::warning, text);
  fail_requests(a, text);
  if (a.next != nullptr) std::exchange(a.next, nullptr)->lost(text);
  if (a.peer != nullptr && a.line == nullptr) a.peer->lost(text);
}

// ---- time and the end

void Hub::wake() {
  const TimePoint now = transport_.now();
  for (std::size_t i = 0; i < lines_.size(); ++i)  // further ones may come
    if (lines_[i]->next_wake() <= now) lines_[i]->wake(now);
  for (const auto& [address, a] : associations_) {
    if (!a->waits() || leaves_) continue;
    if (now >= a->dial_at) {
      dial(*a);
    } else if (now >= a->give_up_at) {
      give_up(*a, "it can't be reached");
    }
  }
  if (now < sweep_at_) return;
  sweep_at_ = deadline_after(now, options_.heartbeat_interval);
  for (const auto& [address, a] : associations_)
    if (a->line != nullptr) a->peer->sweep();
}

void Hub::tidy() {
  std::erase_if(lines_, [](const auto& line) { return line->is_over(); });
  if (left_.slot != nullptr && lines_.empty())
    troupe::detail::answer_done(std::exchange(left_, {}));
  TimePoint next = TimePoint::max();
  for (const auto& line : lines_) next = std::min(next, line->next_wake());
  for (const auto& [address, a] : associations_) {
    if (a->waits() && !leaves_) next = std::min({next, a->dial_at, a->give_up_at});
    if (a->line != nullptr) next = std::min(next, sweep_at_);
  }
  transport_.wake_at(next);
}

void Hub::say_goodbye(const RequestPort& done) {
  leaves_ = true;
  left_ = done;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    if (lines_[i]->is_ready()) {
      lines_[i]->connection().say_goodbye();
    } else {
      lines_[i]->end(ConnectionEnd::given_up, "this node ends");
    }
  }
  tidy();
}

void Hub::leave() {
  leaves_ = true;
  for (const auto& [address, a] : associations_) fail_requests(*a, "this node has ended");
  lines_.clear();
  std::map<std::uint64_t, std::shared_ptr<Peer>> peers;
  {
    const std::lock_guard guard(peers_lock_);
    has_left_ = true;
    peers = peers_;
  }
  for (const auto& [incarnation, peer] : peers) peer->close("this node has ended");
}

}  // namespace troupe::remoting::detail
