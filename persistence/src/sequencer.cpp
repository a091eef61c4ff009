#include "sequencer.hpp"

#include <algorithm>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::persistence::detail {

using troupe::detail::mutant;

namespace {

constexpr std::size_t heads_max = 100'000;  // of all slices: some 10 MB

std::size_t bytes_of(const AppendRequest& request) noexcept {
  std::size_t bytes = request.reply.size();
  for (const EventData& e : request.events) bytes += e.data.size() * sizeof(codec::Word);
  return bytes;
}

/// So many more are pushed without an exception.
template <class T>
void make_room(std::vector<T>& rows, std::size_t more) {
  if (rows.capacity() - rows.size() < more)
    rows.reserve(std::max(2 * rows.capacity(), rows.size() + more));
}

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

}  // namespace

Sequencer::Sequencer(std::shared_ptr<Store> store, std::shared_ptr<const JournalOptions> options,
                     Ref<Maintain> housekeeper)
    : store_(std::move(store)),
      options_(std::move(options)),
      wall_clock_(options_->wall_clock),
      housekeeper_(std::move(housekeeper)),
      slices_(store_->slices()) {
  for (std::uint32_t i = 0; i < slices_.size(); ++i) {
    slices_[i].claim = store_->claim(i);
    slices_[i].head = slices_[i].claim.head;
  }
}

// ---- what comes

void Sequencer::receive(Append&& m, ReplyTo<AppendResult> reply) {
  if (std::string why = why_rejected(m.request); !why.empty()) {
    reply(Rejected{std::move(why)});
    return;
  }
  Slice& slice = slice_of_stream(m.request.stream);
  if (slice.is_fenced || !slice.failed.empty()) {
    reply(slice.is_fenced ? AppendResult{Fenced{}} : AppendResult{NotWritten{slice.failed}});
    return;
  }
  AppendResult result;
  try {
    make_room(slice.waiting, 1);
    result = check_and_join(slice, m.request);
  } catch (const std::exception& e) {  // the store can't say, or no memory: nothing has changed
    reply(NotWritten{e.what()});
    return;
  }
  answer(slice, std::move(reply), std::move(result));
}

void Sequencer::receive(const HeadOf& m, ReplyTo<Version> reply) {
  Slice& slice = slice_of_stream(m.stream);
  WaitingForHead waiting{std::move(reply), m.stream};
  if (slice.waiting.empty()) {
    answer(slice, waiting);
  } else {
    slice.waiting_for_heads.push_back(std::move(waiting));
  }
}

std::string Sequencer::why_rejected(const AppendRequest& request) const {
  if (std::string why = why_no_stream(request.stream); !why.empty())
    return "\"" + request.stream.name() + "\" names no stream: " + why;
  if (has_control_character(request.command)) return "its command id has a control character";
  if (request.command.size() > command_id_bytes_max)
    return "its command id is longer than " + std::to_string(command_id_bytes_max) + " bytes";
  if (request.reply.size() > stored_reply_bytes_max)
    return "the reply to be kept is larger than " + std::to_string(stored_reply_bytes_max) +
           " bytes";
  for (const EventData& e : request.events) {
    if (e.type_version == 0) return "an event's type_version counts from 1";
    for (const std::string& tag : e.tags) {
      if (tag.empty() || has_control_character(tag))
        return "a tag is empty or has a control character";
    }
  }
  if (const std::size_t bytes = bytes_of(request); bytes > options_->request_bytes_max)
    return "it has " + std::to_string(bytes) + " bytes of events, and " +
           std::to_string(options_->request_bytes_max) + " is the most (request_bytes_max)";
  return {};
}

Sequencer::Slice& Sequencer::slice_of_stream(const StreamId& stream) {
  return slices_[slice_of(stream, static_cast<std::uint32_t>(slices_.size()))];
}

AppendResult Sequencer::check_and_join(Slice& slice, AppendRequest& request) {
  if (auto before = done_before(slice, request)) return std::move(*before);
  const Version head = head_of(slice, request.stream);
  if (!request.expected.is_met_by(head) && !mutant("expected_version_is_ignored"))
    return WrongVersion{head};
  join(slice, request, head);
  return Committed{head + 1, head + request.events.size(), slice.head};
}

/// The command id is looked up before the expected version: a repeat comes late (F7).
std::optional<AppendResult> Sequencer::done_before(Slice& slice, const AppendRequest& request) {
  if (request.command.empty() || mutant("commands_are_forgotten")) return std::nullopt;
  const auto waiting =
      std::find_if(slice.commands.begin(), slice.commands.end(), [&](const CommandRecord& c) {
        return c.command == request.command && c.stream == request.stream;
      });
  std::optional<CommandRecord> record;
  if (waiting != slice.commands.end()) {
    record = *waiting;
  } else {
    record = store_->command(request.stream, request.command);
  }
  if (!record) return std::nullopt;
  if (record->content != request.content) return IdempotencyConflict{};
  return AlreadyDone{record->first, record->last, std::move(record->reply)};
}

Version Sequencer::head_of(Slice& slice, const StreamId& stream) {
  const bool none_waits = slice.events.empty();
  if (none_waits && slice.heads.size() >= heads_max / slices_.size()) slice.heads.clear();
  const auto [at, is_new] = slice.heads.try_emplace(stream.name(), 0);
  if (!is_new) return at->second;
  Version head = 0;
  try {
    head = store_->head(stream);
  } catch (...) {  // goes on
    slice.heads.erase(at);
    throw;
  }
  at->second = head;
  return head;
}

/// All of it, or where memory runs out nothing.
void Sequencer::join(Slice& slice, AppendRequest& request, Version head) {
  const Version first = head + 1;
  const WallTime now = wall_clock_->now();
  const auto number = static_cast<std::uint32_t>(&slice - slices_.data());
  Position position = slice.head;
  std::vector<StoredEvent> rows;
  rows.reserve(request.events.size());
  for (EventData& e : request.events)
    rows.push_back({number, ++position, request.stream, ++head, std::move(e), now});
  CommandRecord record{request.stream, std::move(request.command), request.content, first,
                       head,           std::move(request.reply)};
  const std::string name = request.stream.name();
  make_room(slice.events, rows.size());
  make_room(slice.commands, 1);
  Version& known = slice.heads[name];
  write_soon();
  // From here on nothing throws.
  known = head;
  slice.head = position;
  for (StoredEvent& row : rows) slice.events.push_back(std::move(row));
  if (!record.command.empty()) slice.commands.push_back(std::move(record));
}

/// At once, or when what it was decided by is written.
void Sequencer::answer(Slice& slice, ReplyTo<AppendResult> reply, AppendResult result) {
  const bool waits = !slice.events.empty() || !slice.commands.empty();
  if (!waits) {
    reply(std::move(result));
    return;
  }
  if (mutant("append_is_acknowledged_before_it_is_written")) {
    reply(AppendResult{result});
  } else {
    slice.waiting.push_back({std::move(reply), std::move(result)});
  }
  if (slice.events.size() >= options_->batch_events_max)
    write(static_cast<std::uint32_t>(&slice - slices_.data()));
}

// ---- batches

void Sequencer::write_soon() {
  if (is_told_to_write_) return;
  self().tell(WriteBatches{});
  is_told_to_write_ = true;
}

void Sequencer::receive(const WriteBatches&) {
  is_told_to_write_ = false;
  for (std::uint32_t i = 0; i < slices_.size(); ++i) write(i);
  maintain_store();
}

/// Beside what comes next, on a thread of its own.
void Sequencer::maintain_store() {
  if (is_being_maintained_ || !store_->wants_maintenance()) return;
  pipe_to_self(housekeeper_.ask(Maintain{}, no_timeout), [](Result<std::string, AskError> why_not) {
    return Maintained{why_not ? std::move(*why_not) : why_not.error().what};
  });
  is_being_maintained_ = true;
}

/// Said once for each reason; the next batch tries again.
void Sequencer::receive(const Maintained& m) {
  is_being_maintained_ = false;
  if (std::exchange(why_not_maintained_, m.why_not) != m.why_not && !m.why_not.empty())
    log().error("the store could not be maintained: " + m.why_not);
}

void Sequencer::write(std::uint32_t number) {
  Slice& slice = slices_[number];
  if (slice.events.empty() && slice.commands.empty()) return;
  BatchOutcome outcome;
  try {
    outcome = store_->append({number, slice.claim.epoch, slice.events, slice.commands});
  } catch (const std::exception& e) {  // StoreCorrupt, or what a backend lets out
    outcome = BatchUnknown{e.what()};
  }
  const Position before = slice.head - slice.events.size();
  slice.events.clear();
  slice.commands.clear();
  if (slice.heads.size() > heads_max / slices_.size()) slice.heads.clear();
  std::visit(
      Overloaded{[&](const BatchWritten&) { answer_all(slice, nullptr); },
                 [&](const BatchFenced&) {
                   slice.is_fenced = true;
                   slice.heads.clear();
                   const AppendResult fenced = Fenced{};
                   answer_all(slice, &fenced);
                   log().error("slice " + std::to_string(number) +
                               " was claimed by another journal: this one appends nothing to it "
                               "any more");
                 },
                 [&](const BatchNotWritten& b) {
                   slice.head = before;
                   slice.heads.clear();
                   const AppendResult not_written = NotWritten{b.why};
                   answer_all(slice, &not_written);
                   log().error("a batch was not written: " + b.why);
                 },
                 [&](const BatchUnknown& b) {
                   claim_anew(number);
                   const AppendResult unknown = Unknown{b.why};
                   answer_all(slice, &unknown);
                   log().error("nobody knows whether a batch was written: " + b.why);
                 }},
      outcome);
}

/// So that whatever is still under way there is over, and the slice's head known again.
void Sequencer::claim_anew(std::uint32_t number) {
  Slice& slice = slices_[number];
  slice.heads.clear();
  try {
    slice.claim = store_->claim(number);
    slice.head = slice.claim.head;
  } catch (const std::exception& e) {
    slice.failed = e.what();
    log().error("slice " + std::to_string(number) + " can't be used any more: " + slice.failed);
  }
}

void Sequencer::answer_all(Slice& slice, const AppendResult* instead) {
  for (Waiting& w : std::exchange(slice.waiting, {}))
    w.reply(instead != nullptr ? *instead : std::move(w.when_written));
  for (WaitingForHead& w : std::exchange(slice.waiting_for_heads, {})) answer(slice, w);
}

void Sequencer::answer(Slice& slice, WaitingForHead& waiting) {
  if (slice.is_fenced) {  // what is known here is from before the other one's claim
    waiting.reply.refuse(to_string(AppendResult{Fenced{}}));
    return;
  }
  try {
    waiting.reply(head_of(slice, waiting.stream));
  } catch (const std::exception& e) {  // the store can't say
    waiting.reply.refuse(e.what());
  }
}

}  // namespace troupe::persistence::detail
