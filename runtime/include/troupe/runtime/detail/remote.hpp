// Actors of other nodes: what the refs to them lead to. For what connects nodes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/dead_letters.hpp>
#include <troupe/runtime/detail/ref_names.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/exit_reason.hpp>

namespace troupe::detail {

class RemoteTable;
class SystemCore;

/// What one actor does to the life of another. Thread safety: a value.
struct RemoteSignal {
  enum class Kind : std::uint8_t {
    watch,      ///< `from` wants to hear of the end of `to`
    unwatch,    ///< no more
    down,       ///< `from` has ended, as `to` watched for
    restarted,  ///< `from` is in its next incarnation; to who monitors incarnations
    link,
    unlink,
    exit,    ///< an exit signal, of a link or not
    stop,    ///< `from` has it end
    poison,  ///< the same: behind the mail that is there
    kill,    ///< the same
  };
  Kind kind{};
  Address from{};  ///< nobody where it is not known, or does not matter
  Address to{};
  std::uint64_t token = 0;          ///< of the watch or of the link: the giver's number for it
  std::uint64_t other_token = 0;    ///< unlink: the number of the other side's link, or 0
  bool flag = false;                ///< watch: incarnations too; exit: it is of a link;
                                    ///< stop: the limit is the actor's own
  ExitReason why{};                 ///< down, restarted, exit, stop
  std::optional<Duration> limit{};  ///< stop: how long handlers may go on; none: for ever
};

/// What became of an ask that came from another node. Thread safety: a value.
struct RemoteAnswer {
  Address from;  ///< whom it was asked
  Address to;
  std::uint64_t request = 0;           ///< the asker's number of it
  const MessageType* asked = nullptr;  ///< what was asked
  const void* value = nullptr;         ///< the reply; null: there is none, or the error is set
  const AskError* error = nullptr;
};

/// Takes what this System's actors send to those of one other node.
/// Thread safety: any thread, several at a time.
class RemotePeer {
 public:
  RemotePeer() = default;
  RemotePeer(const RemotePeer&) = delete;
  RemotePeer& operator=(const RemotePeer&) = delete;
  virtual ~RemotePeer() = default;
  /// Owns the message from here on, and the request in it.
  virtual Sent send(const Address& to, Envelope* e) noexcept = 0;
  /// The same with a message that nobody has asked; `waiter` is told when it has room, or why not.
  virtual void send_when_room(const Address& to, Envelope* e,
                              const RequestPort& waiter) noexcept = 0;
  virtual void signal(const RemoteSignal& signal) noexcept = 0;
  virtual void answer(const RemoteAnswer& answer) noexcept = 0;
  /// Without the actor's number.
  [[nodiscard]] virtual WireRef name() const = 0;
};

/// The actors of one other node, as refs of this System name them, and the watches and links
/// between the two. Refs to them stay valid for ever; what is sent to them once the System has
/// ended goes nowhere.
/// Design. Each ref leads to a cell that is none: its gate says that it stands for a node. One such
/// cell stands for 2^32 actors, which its refs tell apart by what else is a generation. So a remote
/// actor costs nothing here, and a send to a local one does not look whether it is remote: it
/// compares gates anyway. Thread safety: any thread.
class RemoteActors {
 public:
  /// `peer` is kept until the System ends. `ordinal` orders the refs to actors of several nodes.
  RemoteActors(System& system, std::shared_ptr<RemotePeer> peer, std::uint32_t ordinal);

  /// The actor of that number. 0: one that has none, as a thread.
  [[nodiscard]] Address actor(std::uint64_t number);
  /// A signal has come from the peer, `from` one of its actors, `to` one of this System's, which
  /// may have ended; nobody where what is told of is found by its token.
  void deliver(const RemoteSignal& signal);
  /// Nothing of what has come before counts any more: each watch and each link across ends with
  /// this reason, once.
  void lost(const ExitReason& why);

 private:
  RemoteTable* table_;  ///< the System's
};

/// The number of an actor of another node; nothing for one of a System of this process.
[[nodiscard]] std::optional<std::uint64_t> remote_number(const Address& actor) noexcept;
/// What that node calls it; nothing for one of a System of this process.
[[nodiscard]] std::optional<WireRef> remote_name(const Address& actor);

// What has come for a local actor, from a thread that is none of the System's.

/// It takes no more messages; `actor`: of this process, and not empty.
[[nodiscard]] bool has_ended(const Address& actor) noexcept;
/// Sends to one of this System's actors, which may have ended. While the System is there.
void send_here(System& system, const Address& to, Envelope* e) noexcept;
/// The type of message of that schema that a local actor's class takes from anybody; null: it takes
/// none, or the ref is empty.
[[nodiscard]] const MessageType* type_of_schema(const Address& actor,
                                                std::uint64_t schema) noexcept;
/// An ask slot for a request of another node's actor, whose answer goes to that node's RemotePeer.
/// `to`: whom it asks.
[[nodiscard]] RequestPort open_remote_ask(const Address& asker, const Address& to,
                                          std::uint64_t request, const MessageType& asked,
                                          std::chrono::nanoseconds timeout);
/// Its asker gave up. It may be over.
void give_up_remote_ask(const RequestPort& ask) noexcept;
/// What is left of an ask's time; zero when it is over.
[[nodiscard]] std::chrono::nanoseconds time_left(const RequestPort& ask, TimePoint now) noexcept;
/// As open_slot, where nobody is asked but a System's own part.
[[nodiscard]] RequestPort open_slot_for(System& system, std::chrono::nanoseconds timeout,
                                        void (*destroy)(void* answer) noexcept);
/// Nobody waits for this ask any more.
[[nodiscard]] bool is_over(const RequestPort& ask) noexcept;
/// Answers an ask with what `read` makes of a fresh reply. What that throws fails it as
/// unknown_type. Does nothing when it is over.
void answer_with(const RequestPort& ask, const ReplyType& type,
                 const std::function<void(void* reply)>& read) noexcept;
/// Counts a message that could not be delivered, and has it be a dead letter; `type`: kept for
/// ever.
void report_remote_drop(System& system, const Address& from, const Address& to,
                        std::string_view type, DropReason reason) noexcept;
/// A message that could not be delivered to `to`: counted, a dead letter, and the ask in it fails.
/// Owns the message. `to`: of another node; while its System lives.
void drop_remote(const Address& to, Envelope* e, DropReason reason, AskErrorKind kind,
                 std::string_view what) noexcept;
/// While one is there, whoever gets mail from this thread, which is no worker, and slept begins
/// when it ends: so that what comes at a time wakes nobody more than once. Nothing may be waited
/// for meanwhile. Thread safety: one at a time for each thread, which makes and ends it.
class HeldWakes {
 public:
  HeldWakes() noexcept;
  HeldWakes(const HeldWakes&) = delete;
  HeldWakes& operator=(const HeldWakes&) = delete;
  ~HeldWakes();

 private:
  friend bool hold_wake(SystemCore& core, Cell& cell);
  std::vector<std::pair<SystemCore*, Cell*>> woken_;
};

/// Has `passed` called once what came for that actor before has left its mailbox: taken, or
/// dropped. At once when the actor has ended; on any thread; it may not throw.
void when_mail_is_taken(const Address& to, std::function<void()> passed);
/// Destroys a message, and gives its memory back.
void destroy_envelope(Envelope* e) noexcept;
/// The actor of this path; nobody.
[[nodiscard]] Address find_path(System& system, std::string_view path);

}  // namespace troupe::detail
