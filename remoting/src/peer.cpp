#include "peer.hpp"

#include <array>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::remoting::detail {

using troupe::detail::mutant;

namespace {

std::uint64_t new_serial() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;  // a number of its own
}

std::shared_ptr<SendQueue> queue_for(const PeerHome* home) {
  if (home != nullptr) return std::make_shared<SendQueue>(home->queue_bounds());
  auto closed = std::make_shared<SendQueue>();
  static_cast<void>(closed->clear(true));
  return closed;
}

}  // namespace

Peer::Peer(std::shared_ptr<PeerHome> home, std::uint64_t incarnation, std::string_view address)
    : queue_(queue_for(home.get())),
      message_bytes_max_(home != nullptr ? home->message_bytes_max() : 0),
      serial_(new_serial()),
      home_(std::move(home)),
      incarnation_(incarnation),
      address_(address) {}

Peer::Put Peer::put(const Pair& pair, std::span<const Word> frame, Carries what) {
  return told(queue_->push(pair, frame, what), what != Carries::signal);
}

Peer::Put Peer::put(const Pair& pair, std::vector<Word>& frame, Carries what) {
  return told(queue_->push(pair, frame, what), what != Carries::signal);
}

Peer::Put Peer::told(SendQueue::Pushed pushed, bool may_be_full) {
  using Pushed = SendQueue::Pushed;
  if (pushed == Pushed::behind) return Put::sent;
  if (pushed == Pushed::closed) return Put::closed;
  // With the lock: the node's end waits for whoever is in there.
  const std::lock_guard guard(lock_);
  if (home_ != nullptr && pushed == Pushed::first) home_->wants_to_send(*this);
  if (home_ != nullptr && pushed == Pushed::full && !may_be_full) home_->is_overrun(*this);
  return pushed == Pushed::full ? Put::full : Put::sent;
}

std::shared_ptr<PeerHome> Peer::home() {
  const std::lock_guard guard(lock_);
  return home_;
}

void Peer::request(const WriteRequest& write, Resolved done) {
  std::vector<Word> frame;
  std::uint64_t request = 0;
  {
    const std::lock_guard guard(lock_);
    request = ++requests_;
    asks_[request] = {{}, nullptr, {}, std::move(done)};
  }
  write(*home_, request, frame);
  static_cast<void>(put({}, frame, Carries::signal));
}

// ---- the end of an epoch

void Peer::end(OpenAsk& ask, AskErrorKind kind, const std::string& why) {
  if (ask.resolved) {
    const AskError error{kind, why};
    ask.resolved({}, &error);
  } else {
    troupe::detail::fail_reply(ask.port, kind, why);
  }
}

void Peer::lost(const std::string& why) {
  end_epoch(why, false);
}

void Peer::close(const std::string& why) {
  end_epoch(why, true);
}

void Peer::end_epoch(const std::string& why, bool closes) {
  std::map<std::uint64_t, OpenAsk> asks;
  std::map<std::uint64_t, RequestPort> asked;
  SendQueue::Unsent unsent;
  std::shared_ptr<PeerHome> home;
  {
    const std::lock_guard guard(lock_);
    home = home_;
    if (closes) home_ = nullptr;
    ++epoch_;
    if (!mutant("old_epoch_is_delivered_in_the_next") || closes) unsent = queue_->clear(closes);
    asks.swap(asks_);
    asked.swap(asked_);
    untaken_bytes_ = 0;
  }
  owed_ = {};
  actors_->lost({ExitReason::Kind::no_connection, why});
  for (auto& [request, ask] : asks) end(ask, AskErrorKind::no_connection, why);
  for (auto& [request, port] : asked) troupe::detail::give_up_remote_ask(port);
  for (const auto& waiter : unsent.waiters) waiter->dropped(true);
  if (home == nullptr) return;
  for (const Pair& pair : unsent.pairs)
    troupe::detail::report_remote_drop(home->system(), home->actor_of(pair.sender),
                                       actor(pair.receiver), "a message that waited",
                                       DropReason::no_connection);
}

void Peer::describe(PeerStatus& status) {
  const std::lock_guard guard(lock_);
  status.asks_there = asks_.size();
  status.asks_here = asked_.size();
  status.untaken_bytes_here = untaken_bytes_;
  status.waiting_bytes = queue_->bytes();
  status.untaken_bytes_there = queue_->untaken_bytes();
}

void Peer::sweep() {
  queue_->sweep();
  std::vector<std::pair<std::uint64_t, Pair>> given_up;
  {
    const std::lock_guard guard(lock_);
    for (auto at = asks_.begin(); at != asks_.end();) {
      const bool is_over =
          at->second.port.slot != nullptr && troupe::detail::is_over(at->second.port);
      if (!is_over) {
        ++at;
        continue;
      }
      given_up.emplace_back(at->first, at->second.pair);
      at = asks_.erase(at);
    }
  }
  for (const auto& [request, pair] : given_up) {
    const std::array frame{frame_header(FrameKind::cancel, 1), Word{request}};
    static_cast<void>(put(pair, frame, Carries::cancel));
  }
}

}  // namespace troupe::remoting::detail
