// Events as a journal keeps them: bytes with a type, in streams.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/codec/codec.hpp>
#include <troupe/runtime/clock.hpp>

namespace troupe::persistence {

/// Names a stream: the events of one entity. `category` is what several have in common
/// ("bank-account"), `id` tells one from the others ("acc-1").
struct StreamId {
  std::string category;
  std::string id;
  friend auto operator<=>(const StreamId&, const StreamId&) = default;
  /// "bank-account/acc-1". No two streams have the same: a category has no slash.
  [[nodiscard]] std::string name() const { return category + "/" + id; }
};
inline constexpr std::size_t stream_name_bytes_max = 1024;
/// Why it names no stream; empty: it does. Neither part may be empty, the category has no slash,
/// and no byte is a control character.
[[nodiscard]] std::string why_no_stream(const StreamId& stream);
/// A byte below 0x20, or 0x7f: names, tags and command ids have none.
[[nodiscard]] bool has_control_character(std::string_view text) noexcept;
/// Throws UsageError unless it names a stream.
void check_stream(const StreamId& stream);

/// Versions count a stream's events: 0 is the empty stream, the first event makes 1.
using Version = std::uint64_t;
/// Places of one slice's events, from 1, without gaps.
using Position = std::uint64_t;

/// What is appended.
struct EventData {
  SchemaId type{};                 ///< that of its schema
  std::uint32_t type_version = 1;  ///< of the type's meaning, for upcasters
  std::string type_name;           ///< for people: "bank::MoneyWithdrawn"
  std::vector<codec::Word> data;   ///< its encoding
  std::vector<std::string> tags;   ///< none is empty or has a control character
  friend bool operator==(const EventData&, const EventData&) = default;
};

/// What a client calls a command, so that it is done once however often it is sent. Empty: nothing.
/// Up to 128 bytes.
using CommandId = std::string;
inline constexpr std::size_t command_id_bytes_max = 128;

/// What a journal keeps of an event.
struct StoredEvent {
  std::uint32_t slice = 0;
  Position position = 0;
  StreamId stream;
  Version version = 0;
  EventData event;
  WallTime recorded_at{};   ///< for people; nothing is ordered by it
  bool is_deleted = false;  ///< it has kept its place only: its type is 0, and it has no data
  friend bool operator==(const StoredEvent&, const StoredEvent&) = default;
};

/// That a command was done, and with what reply.
struct CommandRecord {
  StreamId stream;
  CommandId command;
  std::uint64_t content = 0;  ///< a hash of the command
  Version first = 0;          ///< of its events; larger than `last` where it had none
  Version last = 0;
  std::vector<std::byte> reply;
  friend bool operator==(const CommandRecord&, const CommandRecord&) = default;
};
inline constexpr std::size_t stored_reply_bytes_max = 1024;

/// Which history of a journal: another one after each restore, copy and failover that may have lost
/// something. A position means nothing in another one.
struct HistoryId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const HistoryId&, const HistoryId&) = default;
};
[[nodiscard]] std::string to_string(const HistoryId& id);

}  // namespace troupe::persistence
