// An actor of another node that takes no mail, for tests of what its senders see.
#pragma once

#include <utility>

#include "cluster.hpp"

namespace stuck_test {

using namespace std::chrono_literals;
using namespace cluster_test;
using namespace troupe::test;
using troupe::Actor;
using troupe::Ref;
using troupe::Sent;
using troupe::remoting::PeerStatus;

/// Takes no mail from a note on until the gate answers.
class Gate : public Actor<Question, Note> {
 public:
  void receive(const Question&, troupe::ReplyTo<Sum> reply) { kept_.push_back(std::move(reply)); }
  void receive(const Note&) {
    for (auto& reply : std::exchange(kept_, {})) reply(Sum{1});
  }

 private:
  std::vector<troupe::ReplyTo<Sum>> kept_;
};
class Slow : public Actor<Note, Payload, Done> {
 public:
  Slow(Ref<Gate> gate, std::shared_ptr<std::vector<std::size_t>> taken)
      : gate_(gate), taken_(std::move(taken)) {}
  troupe::Task<void> receive(const Note&) { co_await gate_.ask(Question{}, 1h); }
  void receive(const Payload& m) { taken_->push_back(m.bytes.size()); }
  void receive(const Done&) {}

 private:
  Ref<Gate> gate_;
  std::shared_ptr<std::vector<std::size_t>> taken_;
};

/// Two nodes, and an actor of the second that takes nothing before it is let go.
struct Stuck {
  explicit Stuck(Cluster& c, const troupe::remoting::NodeOptions& of_a = Cluster::options("a"))
      : cluster(c), a(c.start(of_a)), b(c.start("b")) {
    slow = b.system.spawn<Slow>({.name = "slow"}, gate = b.system.spawn<Gate>(), taken);
    b.system.spawn<Slow>({.name = "other"}, gate, taken);
    there = resolve("slow");
    slow.tell(Note{});
    b.system.settle();
  }
  Ref<Slow> resolve(const std::string& name) {
    return a.node.resolve<Slow>("troupe://b:1/" + name).await();
  }
  /// Payloads of those sizes, from 1'000 bytes on; how many of them were not refused.
  std::size_t send(std::size_t many) {
    std::size_t sent = 0;
    for (std::size_t n = 0; n < many; ++n)
      if (there.tell(Payload{std::vector<std::byte>(1'000 + n)}) == Sent::ok) ++sent;
    cluster.advance(1s);
    return sent;
  }
  static PeerStatus peer(Member& of) { return of.node.status().await().peers.at(0); }

  Cluster& cluster;
  Member& a;
  Member& b;
  std::shared_ptr<std::vector<std::size_t>> taken = std::make_shared<std::vector<std::size_t>>();
  Ref<Gate> gate;
  Ref<Slow> slow;
  Ref<Slow> there;
};

}  // namespace stuck_test
