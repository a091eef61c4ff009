// The file: its tables, and how events and commands are rows of them.
//
// `event` is only appended to: its rowid is the position, and it has no index. Each row has a
// checksum over all its columns and the journal's history: so a row is found out that is damaged,
// in another's place, or of another file. persistence/backends/sqlite/README.md has the format.
#pragma once

#include <string>

#include <troupe/persistence/store.hpp>

#include "database.hpp"

namespace troupe::persistence::sqlite {

/// What this program writes, and the latest it reads (pragma user_version).
inline constexpr std::int64_t format = 1;
inline constexpr std::int64_t application_id = 0x5452504a;  // "TRPJ"

/// Makes the tables where there are none. Throws StoreFailed where the file is another program's,
/// or of a later format.
void make_or_check(Database& database, const std::string& path);
[[nodiscard]] HistoryId history_of(Database& database);

inline constexpr const char* insert_event =
    "INSERT INTO event(position, stream, version, type, type_version, type_name, tags, "
    "recorded_at, data, checksum) VALUES(?,?,?,?,?,?,?,?,?,?)";
inline constexpr const char* event_columns =
    "SELECT position, stream, version, type, type_version, type_name, tags, recorded_at, data, "
    "checksum FROM event";
inline constexpr const char* insert_command =
    "INSERT INTO command(number, stream, command, content, first, last, reply, checksum) "
    "VALUES(?,?,?,?,?,?,?,?)";
inline constexpr const char* command_columns =
    "SELECT number, stream, command, content, first, last, reply, checksum FROM command";

/// Writes a row by `insert_event`.
void write_event(Statement& insert, const StoredEvent& event, const HistoryId& history);
/// Of the row that a statement of `event_columns` has come to. Throws StoreCorrupt where its
/// checksum says that it is not what was written.
[[nodiscard]] StoredEvent read_event(const Statement& row, const HistoryId& history);
/// Of an event that is deleted its place is left, and a type version of 0.
inline constexpr const char* delete_event_columns =
    "UPDATE event SET type=0, type_version=0, type_name='', tags='', data=x'', checksum=? "
    "WHERE position=?";
/// By `delete_event_columns`.
void delete_event(Statement& update, StoredEvent event, const HistoryId& history);
void write_command(Statement& insert, std::int64_t number, const CommandRecord& command,
                   const HistoryId& history);
[[nodiscard]] CommandRecord read_command(const Statement& row, const HistoryId& history);

}  // namespace troupe::persistence::sqlite
