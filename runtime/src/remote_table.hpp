// What crosses between this System and one other node (detail/remote.hpp).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <troupe/runtime/detail/remote.hpp>

#include "cell.hpp"

namespace troupe::detail {

/// Belongs to its System, from RemoteActors' construction to the System's end.
/// Thread safety: any thread.
class RemoteTable {
 public:
  RemoteTable(SystemCore& core, std::shared_ptr<RemotePeer> peer, std::uint32_t ordinal);
  RemoteTable(const RemoteTable&) = delete;
  RemoteTable& operator=(const RemoteTable&) = delete;
  /// Waits for who is inside.
  ~RemoteTable();

  [[nodiscard]] SystemCore& core() const noexcept { return core_; }
  [[nodiscard]] RemotePeer& peer() const noexcept { return *peer_; }
  [[nodiscard]] std::uint32_t ordinal() const noexcept { return ordinal_; }
  /// 0: an actor that nobody has named.
  [[nodiscard]] Address address(std::uint64_t number);

  /// A local actor's command for one of that node's: becomes a signal. Owns the command.
  void send(Cell& stub, Command* command) noexcept;
  void deliver(const RemoteSignal& signal);
  void lost(const ExitReason& why);

 private:
  struct WatchedHere {
    Address target;
    WatchRecord* record;  ///< at the target: only compared
  };
  /// Ordered, as they are told of in this order (S141).
  /// The remote actor's number, and the local one's serial.
  using LinkKey = std::pair<std::uint64_t, std::uint32_t>;
  /// As the local actor has it once it has heard of all: either side's number of it, or 0.
  struct LinkAcross {
    Address local;
    std::uint64_t my_id = 0;
    std::uint64_t their_id = 0;
  };
  using WatcherKey = std::pair<std::uint64_t, std::uint64_t>;  ///< its number, its token

  void send_watch(WatchRecord* record);
  void send_unwatch(const UnwatchCommand& unwatch);
  void send_down(WatchRecord* record);
  void send_exit(Cell& stub, LinkRecord* record);
  void send_stop(Cell& stub, StopCommand& stop);
  void send_answer(AskSlot& slot);
  void take_watch(const RemoteSignal& s);
  void take_unwatch(const RemoteSignal& s);
  void take_down(const RemoteSignal& s);
  void take_restarted(const RemoteSignal& s);
  void take_link(const RemoteSignal& s);
  void take_exit(const RemoteSignal& s);
  void put(const Address& from, const Address& to, Command* command);
  void fire(WatchRecord* record, const ExitReason& why);
  void add_link(const Address& local, const Address& remote, std::uint64_t LinkAcross::*side,
                std::uint64_t id);
  void take_back_link(const Address& local, const Address& remote, std::uint64_t my_id,
                      std::uint64_t their_id);
  void forget_link(const Address& local, const Address& remote);

  SystemCore& core_;
  const std::shared_ptr<RemotePeer> peer_;
  const std::uint32_t ordinal_;
  SystemGate* const gate_;
  std::mutex lock_;
  std::vector<Cell*> stubs_;
  std::map<std::uint64_t, WatchRecord*> watching_;  ///< by token: what local actors watch there
  std::map<std::uint64_t, RequestPort> stopping_;   ///< the same, of those who wait for an end
  std::map<WatcherKey, WatchedHere> watched_;       ///< what is watched from there
  std::map<LinkKey, LinkAcross> links_;
  std::uint64_t stops_ = 0;
};

}  // namespace troupe::detail
