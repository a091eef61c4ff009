// Who stands in for a parent on another node: the parent here of what that one has spawned.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <troupe/remoting/spawn.hpp>
#include <troupe/runtime/actor.hpp>
#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::remoting::detail {

using troupe::detail::Address;

/// Called once with an actor, or with why there is none. Thread safety: one thread at a time.
using Resolved = std::function<void(const Address& actor, const AskError* error)>;

/// An answer that is due: who lets go of it without one fails it. Thread safety: one thread at a
/// time.
class SpawnAnswer {
 public:
  explicit SpawnAnswer(Resolved done) : done_(std::move(done)) {}
  SpawnAnswer(const SpawnAnswer&) = delete;
  SpawnAnswer& operator=(const SpawnAnswer&) = delete;
  ~SpawnAnswer() { fail(AskErrorKind::receiver_down, "the parent has ended"); }
  void give(const Address& actor) {
    if (auto done = std::exchange(done_, nullptr)) done(actor, nullptr);
  }
  void fail(AskErrorKind kind, const std::string& what) {
    const AskError error{kind, what};
    if (auto done = std::exchange(done_, nullptr)) done({}, &error);
  }

 private:
  Resolved done_;
};

struct SpawnChild {
  std::string id;
  std::function<std::shared_ptr<const troupe::detail::Maker>()> make;
  std::vector<std::uint64_t> schemas;
  std::shared_ptr<SpawnAnswer> answer;
};

/// Ends with the parent that it stands in for, and with it all its children (S45); they end with
/// the parent's restart too (S44). Its node stops it at the end of the epoch, which is one of the
/// parent (F12).
class Foster final : public Actor<SpawnChild> {
 public:
  Foster(Ref<> parent, std::function<void(const Ref<SpawnChild>&)> gone)
      : parent_(std::move(parent)), gone_(std::move(gone)) {}
  void on_start() override { monitor(parent_, each_incarnation); }
  void on_stop(StopReason) override { gone_(self()); }
  void receive(const Down& m);
  void receive(const SpawnChild& m);

 private:
  const Ref<> parent_;
  const std::function<void(const Ref<SpawnChild>&)> gone_;
  std::vector<Ref<>> children_;
  std::map<std::string, Ref<>> by_id_;
};

}  // namespace troupe::remoting::detail
