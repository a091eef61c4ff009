// Sequencer: gives events their places, and writes them in batches.
//
// Design. What comes is checked at once against what is written and what is on its way, and joins
// the next batch of its slice, each request alone (a bad one fails nobody else). A message to
// itself, behind what has come meanwhile, writes the batches: so the mailbox that fills while the
// store writes is the next batch, and no timer is needed. Whatever was decided by what is on its
// way is answered when that is durable. A batch that was not written takes back the places it had;
// one of which nobody knows has the slice claimed anew, so that the old claim can write nothing
// more.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <troupe/persistence/journal.hpp>

namespace troupe::persistence::detail {

struct WriteBatches {};
/// What a store puts off is to be done: the answer says that it was, or why not.
struct Maintain {
  using Reply = std::string;
};
struct Maintained {
  std::string why_not;  ///< empty: it was
};

class Sequencer final : public Actor<Append, HeadOf, Private<WriteBatches>, Private<Maintained>> {
 public:
  Sequencer(std::shared_ptr<Store> store, std::shared_ptr<const JournalOptions> options,
            Ref<Maintain> housekeeper);

  void receive(Append&& m, ReplyTo<AppendResult> reply);
  void receive(const HeadOf& m, ReplyTo<Version> reply);
  void receive(const WriteBatches&);
  void receive(const Maintained& m);

 private:
  /// Who is told what when the batch is written.
  struct Waiting {
    ReplyTo<AppendResult> reply;
    AppendResult when_written;
  };
  struct WaitingForHead {
    ReplyTo<Version> reply;
    StreamId stream;
  };
  struct Slice {
    Claim claim;
    Position head = 0;                ///< with what waits
    std::vector<StoredEvent> events;  ///< that wait
    std::vector<CommandRecord> commands;
    std::unordered_map<std::string, Version> heads;  ///< of some streams, with what waits
    std::vector<Waiting> waiting;
    std::vector<WaitingForHead> waiting_for_heads;
    bool is_fenced = false;
    std::string failed;  ///< why it can't be used any more
  };

  [[nodiscard]] std::string why_rejected(const AppendRequest& request) const;
  [[nodiscard]] Slice& slice_of_stream(const StreamId& stream);
  /// What became of it where that is decided; else it has joined the batch.
  [[nodiscard]] AppendResult check_and_join(Slice& slice, AppendRequest& request);
  [[nodiscard]] std::optional<AppendResult> done_before(Slice& slice, const AppendRequest& request);
  [[nodiscard]] Version head_of(Slice& slice, const StreamId& stream);
  void join(Slice& slice, AppendRequest& request, Version head);
  void answer(Slice& slice, ReplyTo<AppendResult> reply, AppendResult result);
  void answer(Slice& slice, WaitingForHead& waiting);
  void write_soon();
  void write(std::uint32_t number);
  void answer_all(Slice& slice, const AppendResult* instead);
  void claim_anew(std::uint32_t number);
  void maintain_store();

  const std::shared_ptr<Store> store_;
  const std::shared_ptr<const JournalOptions> options_;
  const std::shared_ptr<WallClock> wall_clock_;
  const Ref<Maintain> housekeeper_;
  std::vector<Slice> slices_;
  bool is_being_maintained_ = false;
  std::string why_not_maintained_;
  bool is_told_to_write_ = false;
};

}  // namespace troupe::persistence::detail
