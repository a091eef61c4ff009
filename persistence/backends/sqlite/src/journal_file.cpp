#include "journal_file.hpp"

#include <cstring>

#include <troupe/runtime/random.hpp>

#include "checksum.hpp"

namespace troupe::persistence::sqlite {

namespace {

constexpr char tag_separator = '\x1f';  // no tag has a control character

constexpr const char* tables = R"(
CREATE TABLE meta(name TEXT PRIMARY KEY, high INTEGER NOT NULL, low INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE slice(slice INTEGER PRIMARY KEY, epoch INTEGER NOT NULL);
INSERT INTO slice VALUES(0, 0);
CREATE TABLE event(position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL,
  type INTEGER NOT NULL, type_version INTEGER NOT NULL, type_name TEXT NOT NULL, tags TEXT NOT NULL,
  recorded_at INTEGER NOT NULL, data BLOB NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE command(number INTEGER PRIMARY KEY, stream TEXT NOT NULL, command TEXT NOT NULL,
  content INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, reply BLOB NOT NULL,
  checksum INTEGER NOT NULL);
)";

std::string joined(const std::vector<std::string>& tags) {
  std::string text;
  for (const std::string& tag : tags) {
    if (!text.empty()) text += tag_separator;
    text += tag;
  }
  return text;
}
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> tags;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(tag_separator), text.size());
    tags.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return tags;
}

StreamId stream_of(std::string_view name, const std::string& where) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos)
    throw StoreCorrupt(where + " is of \"" + std::string(name) + "\", which names no stream");
  return {std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))};
}

std::uint64_t checksum_of(const StoredEvent& e, std::string_view stream, std::string_view tags,
                          std::span<const std::byte> data, const HistoryId& history) {
  return Checksum(history)
      .add(e.position)
      .add(stream)
      .add(e.version)
      .add(e.event.type.value)
      .add(e.event.type_version)
      .add(std::string_view(e.event.type_name))
      .add(tags)
      .add(static_cast<std::uint64_t>(e.recorded_at.time_since_epoch().count()))
      .add(data)
      .value();
}
std::uint64_t checksum_of(std::int64_t number, const CommandRecord& c, std::string_view stream,
                          const HistoryId& history) {
  return Checksum(history)
      .add(as_read(number))
      .add(stream)
      .add(std::string_view(c.command))
      .add(c.content)
      .add(c.first)
      .add(c.last)
      .add(std::span(c.reply))
      .value();
}

/// What the database says that it has, and where.
std::string schema_of(Database& database) {
  std::string schema;
  Statement rows = database.prepare(
      "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid");
  while (rows.step()) {
    for (const int column : {0, 1, 2, 3, 4}) schema += std::string(rows.text(column)) + "\n";
  }
  return schema;
}
/// A bit of that which has flipped may make a table look empty.
void check_schema(Database& database) {
  Database right({":memory:", ""}, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  right.run(tables);
  if (schema_of(database) != schema_of(right))
    throw StoreCorrupt("its tables are not those of format " + std::to_string(format));
}

}  // namespace

void make_or_check(Database& database, const std::string& path) {
  database.run("BEGIN IMMEDIATE");
  const std::int64_t id = database.integer_of("PRAGMA application_id");
  const std::int64_t version = database.integer_of("PRAGMA user_version");
  const bool is_empty = database.integer_of("SELECT count(*) FROM sqlite_schema") == 0;
  if (is_empty && id == 0 && version == 0) {
    database.run(tables);
    Statement insert = database.prepare("INSERT INTO meta VALUES('history', ?, ?)");
    insert.bind(1, as_stored(random_seed())).bind(2, as_stored(random_seed())).run();
    database.run(("PRAGMA application_id=" + std::to_string(application_id)).c_str());
    database.run(("PRAGMA user_version=" + std::to_string(format)).c_str());
    database.run("COMMIT");
    return;
  }
  database.run("ROLLBACK");
  if (id != application_id)
    throw StoreFailed(path + " is a database of another program, and no journal");
  if (version > format)
    throw StoreFailed(path + " has format " + std::to_string(version) +
                      ", and this program reads up to format " + std::to_string(format) +
                      ": open it with the later release that wrote it");
  check_schema(database);
}

HistoryId history_of(Database& database) {
  Statement s = database.prepare("SELECT high, low FROM meta WHERE name='history'");
  if (!s.step()) throw StoreCorrupt("the journal has no history id");
  return {as_read(s.integer(0)), as_read(s.integer(1))};
}

void write_event(Statement& insert, const StoredEvent& event, const HistoryId& history) {
  const std::string stream = event.stream.name();
  const std::string tags = joined(event.event.tags);
  const auto data = std::as_bytes(std::span(event.event.data));
  insert.bind(1, as_stored(event.position))
      .bind(2, std::string_view(stream))
      .bind(3, as_stored(event.version))
      .bind(4, as_stored(event.event.type.value))
      .bind(5, std::int64_t{event.event.type_version})
      .bind(6, std::string_view(event.event.type_name))
      .bind(7, std::string_view(tags))
      .bind(8, std::int64_t{event.recorded_at.time_since_epoch().count()})
      .bind(9, data)
      .bind(10, as_stored(checksum_of(event, stream, tags, data, history)))
      .run();
}

StoredEvent read_event(const Statement& row, const HistoryId& history) {
  StoredEvent e;
  e.position = as_read(row.integer(0));
  const std::string where = "event " + std::to_string(e.position);
  const std::string_view stream = row.text(1);
  e.version = as_read(row.integer(2));
  e.event.type.value = as_read(row.integer(3));
  e.event.type_version = static_cast<std::uint32_t>(row.integer(4));
  e.is_deleted = e.event.type_version == 0;
  e.event.type_name = row.text(5);
  const std::string_view tags = row.text(6);
  e.recorded_at = WallTime(Duration(row.integer(7)));
  const auto data = row.bytes(8);
  if (checksum_of(e, stream, tags, data, history) != as_read(row.integer(9)))
    throw StoreCorrupt(where + " (of \"" + std::string(stream) + "\", version " +
                       std::to_string(e.version) +
                       ") is not what was written: its checksum differs");
  e.stream = stream_of(stream, where);
  e.event.tags = split(tags);
  if (data.size() % sizeof(codec::Word) != 0) throw StoreCorrupt(where + " is cut off");
  e.event.data.resize(data.size() / sizeof(codec::Word));
  if (!data.empty()) std::memcpy(e.event.data.data(), data.data(), data.size());
  return e;
}

void delete_event(Statement& update, StoredEvent event, const HistoryId& history) {
  event.event = {};
  event.event.type_version = 0;
  update.bind(1, as_stored(checksum_of(event, event.stream.name(), {}, {}, history)))
      .bind(2, as_stored(event.position))
      .run();
}

void write_command(Statement& insert, std::int64_t number, const CommandRecord& command,
                   const HistoryId& history) {
  const std::string stream = command.stream.name();
  insert.bind(1, number)
      .bind(2, std::string_view(stream))
      .bind(3, std::string_view(command.command))
      .bind(4, as_stored(command.content))
      .bind(5, as_stored(command.first))
      .bind(6, as_stored(command.last))
      .bind(7, std::span(command.reply))
      .bind(8, as_stored(checksum_of(number, command, stream, history)))
      .run();
}

CommandRecord read_command(const Statement& row, const HistoryId& history) {
  CommandRecord c;
  const std::int64_t number = row.integer(0);
  const std::string where = "command " + std::to_string(number);
  const std::string_view stream = row.text(1);
  c.command = row.text(2);
  c.content = as_read(row.integer(3));
  c.first = as_read(row.integer(4));
  c.last = as_read(row.integer(5));
  const auto reply = row.bytes(6);
  c.reply.assign(reply.begin(), reply.end());
  if (checksum_of(number, c, stream, history) != as_read(row.integer(7)))
    throw StoreCorrupt(where + " is not what was written: its checksum differs");
  c.stream = stream_of(stream, where);
  return c;
}

}  // namespace troupe::persistence::sqlite
