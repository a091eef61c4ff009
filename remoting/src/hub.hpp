// The inside of a node: who is there, which connections lead to him, and what comes over them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <troupe/remoting/node.hpp>
#include <troupe/runtime/random.hpp>

#include "association.hpp"

namespace troupe::remoting::detail {

/// Thread safety: the loop's, except what says otherwise. Lives as long as somebody uses it, but
/// does nothing after `leave`.
class Hub final : public PeerHome,
                  public troupe::detail::RefNames,
                  public std::enable_shared_from_this<Hub> {
 public:
  Hub(System& system, NodeOptions options, Transport& transport);

  /// Listens. Not in the constructor, which has no shared pointer yet. The thread that made it.
  void start();
  /// Says goodbye to all, and answers `done` when they have answered, or it takes too long.
  void say_goodbye(const RequestPort& done);
  /// After the transport was stopped: nothing more comes. The thread that made it.
  void leave();
  /// Has the node at that address find or make an actor.
  void reach(const std::string& address, WaitingRequest request);
  void spawn_here(wire::Spawn spawn, std::uint64_t node, const Address& parent,
                  Resolved done) override;
  [[nodiscard]] NodeStatus status() const;

  // Any thread:
  [[nodiscard]] const NodeName& self() const noexcept { return self_; }
  [[nodiscard]] std::shared_ptr<Peer> peer_of(std::uint64_t incarnation, std::string_view address);
  [[nodiscard]] troupe::detail::WireRef name(const Address& actor) override;
  /// Throws CodecError when it leads to nobody that could be, or to one node too many.
  [[nodiscard]] Address find(const troupe::detail::WireRef& name) override;
  void wants_to_send(Peer& peer) override;
  void is_overrun(Peer& peer) override;
  [[nodiscard]] System& system() noexcept override { return system_; }
  [[nodiscard]] troupe::detail::RefNames& names() noexcept override { return *this; }
  [[nodiscard]] std::uint64_t number_of(const Address& actor) override;
  [[nodiscard]] Address actor_of(std::uint64_t number) override { return numbers_.find(number); }
  [[nodiscard]] const SendQueueBounds& queue_bounds() const noexcept override {
    return connection_options_.queue;
  }
  [[nodiscard]] Duration leave_max() const noexcept { return options_.leave_max; }
  [[nodiscard]] std::size_t message_bytes_max() const noexcept override {
    return options_.message_bytes_max;
  }
  [[nodiscard]] std::size_t unanswered_max() const noexcept override {
    return options_.unanswered_max;
  }

 private:
  Association& association(const std::string& called);
  void accept(std::unique_ptr<Wire> wire);
  void make_room_for_a_stranger();
  [[nodiscard]] bool is_heard(const Association& a) const;
  Line& add_line(std::unique_ptr<Wire> wire, HandshakeRole role, Association* dialed);
  HandshakeTerms terms(HandshakeRole role, const Association* dialed,
                       const std::vector<std::string>& uris);
  std::variant<std::uint64_t, RefuseReason> admit(const NodeName& peer);
  [[nodiscard]] bool is_of_another(const NodeName& peer);
  void end_older(const NodeName& peer);
  void hear_of(Association& a, const std::shared_ptr<Peer>& peer);
  void ready(Line& line, const NodeName& peer);
  void is_the_same(Association& dialed, Association& a);
  [[nodiscard]] Ref<SpawnChild> foster_of(std::uint64_t node, std::uint64_t number,
                                          const Address& parent);
  void end_fosters(std::uint64_t node);
  void send_requests(Association& a);
  void fail_requests(Association& a, const std::string& why);
  void over(Line& line, ConnectionEnd end, const std::string& why);
  void count(const Line& line, ConnectionEnd end);
  void want_line(Association& a);
  void dial(Association& a);
  void dial_failed(Association& a, const std::string& why);
  void give_up(Association& a, const std::string& why);
  void flush(const std::shared_ptr<Peer>& peer);
  void wake();
  /// Ends each thing that the loop does: lines that are over go, and the next wake is set.
  void tidy();
  void tidy_later();
  void log(LogLevel level, const std::string& text) const;

  System& system_;
  const NodeOptions options_;
  Transport& transport_;
  ConnectionOptions connection_options_;
  std::optional<ClusterKey> key_;
  NodeName self_;
  troupe::detail::ActorNumbers numbers_;
  std::mutex peers_lock_;
  std::map<std::uint64_t, std::shared_ptr<Peer>> peers_;  ///< by incarnation
  std::uint32_t ordinals_ = 0;
  bool has_left_ = false;
  /// Who has proven to be which incarnation.
  std::map<std::uint64_t, std::pair<std::string, std::string>> met_;  ///< name and address
  std::map<std::string, std::unique_ptr<Association>> associations_;  ///< by address
  std::map<std::string, std::string> aliases_;                        ///< other addresses of theirs
  std::mutex fosters_lock_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Ref<SpawnChild>> fosters_;  ///< by parent
  std::vector<std::unique_ptr<Line>> lines_;
  std::uint64_t epochs_ = 0;
  Random jitter_;
  NodeCounters counters_;
  TimePoint sweep_at_ = TimePoint::min();
  bool tidies_later_ = false;
  bool leaves_ = false;
  RequestPort left_;
};

}  // namespace troupe::remoting::detail
