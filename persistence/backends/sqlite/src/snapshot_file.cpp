#include "snapshot_file.hpp"

#include <algorithm>
#include <cstring>

#include "checksum.hpp"

namespace troupe::persistence::sqlite {

namespace {
constexpr int log_pages_max = 1000;
constexpr const char* tables = R"(
CREATE TABLE IF NOT EXISTS snapshot(stream TEXT NOT NULL, version INTEGER NOT NULL,
  type INTEGER NOT NULL, fingerprint INTEGER NOT NULL, type_name TEXT NOT NULL,
  taken_at INTEGER NOT NULL, data BLOB NOT NULL, checksum INTEGER NOT NULL,
  UNIQUE(stream, version));
)";

std::uint64_t checksum_of(const StoredSnapshot& s, std::span<const std::byte> data,
                          const HistoryId& history) {
  return Checksum(history)
      .add(std::string_view(s.stream.name()))
      .add(s.version)
      .add(s.type.value)
      .add(s.fingerprint)
      .add(std::string_view(s.type_name))
      .add(static_cast<std::uint64_t>(s.taken_at.time_since_epoch().count()))
      .value_with(data);
}
}  // namespace

void SnapshotFile::close() noexcept {
  remove_.reset();
  newest_.reset();
  put_.reset();
  database_.reset();
}

bool SnapshotFile::open(bool makes_it) {
  if (remove_) return true;
  if (!makes_it && !exists(name_)) return false;
  database_.emplace(name_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  database_->leave_log_when_closed();
  database_->count_log_pages(log_pages_);
  database_->use_log(name_.path);
  database_->run("PRAGMA synchronous=NORMAL");
  database_->run(tables);
  put_.emplace(database_->prepare("INSERT OR REPLACE INTO snapshot VALUES(?,?,?,?,?,?,?,?)"));
  newest_.emplace(database_->prepare(
      "SELECT version, type, fingerprint, type_name, taken_at, data, checksum FROM snapshot "
      "WHERE stream=? AND version<=? ORDER BY version DESC LIMIT 1"));
  remove_.emplace(database_->prepare("DELETE FROM snapshot WHERE stream=? AND version<?"));
  return true;
}

/// What f makes where there is a file; else nothing.
template <class F>
auto SnapshotFile::use(bool makes_it, F f) -> decltype(f()) {
  const std::lock_guard guard(lock_);
  try {
    return open(makes_it) ? f() : decltype(f())();
  } catch (...) {  // goes on
    close();
    throw;
  }
}

void SnapshotFile::put(const StoredSnapshot& snapshot) {
  const std::string stream = snapshot.stream.name();
  const auto data = std::as_bytes(std::span(snapshot.data));
  use(true, [&] {
    const InUse in_use(*put_);
    put_->bind(1, std::string_view(stream))
        .bind(2, as_stored(snapshot.version))
        .bind(3, as_stored(snapshot.type.value))
        .bind(4, as_stored(snapshot.fingerprint))
        .bind(5, std::string_view(snapshot.type_name))
        .bind(6, std::int64_t{snapshot.taken_at.time_since_epoch().count()})
        .bind(7, data)
        .bind(8, as_stored(checksum_of(snapshot, data, history_)))
        .run();
    if (log_pages_ < log_pages_max) return;
    database_->checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
    log_pages_ = 0;
  });
}

std::optional<StoredSnapshot> SnapshotFile::newest(const StreamId& stream, Version at_most) {
  const std::string name = stream.name();
  return use(false, [&]() -> std::optional<StoredSnapshot> {
    const InUse in_use(*newest_);
    newest_->bind(1, std::string_view(name)).bind(2, as_stored(std::min(at_most, any_version / 2)));
    if (!newest_->step()) return std::nullopt;
    return read(stream);
  });
}

StoredSnapshot SnapshotFile::read(const StreamId& stream) const {
  StoredSnapshot s;
  s.stream = stream;
  s.version = as_read(newest_->integer(0));
  s.type.value = as_read(newest_->integer(1));
  s.fingerprint = as_read(newest_->integer(2));
  s.type_name = newest_->text(3);
  s.taken_at = WallTime(Duration(newest_->integer(4)));
  const auto data = newest_->bytes(5);
  if (checksum_of(s, data, history_) != as_read(newest_->integer(6)) ||
      data.size() % sizeof(codec::Word) != 0) {
    s.damage = "it is not what was written: its checksum differs";
    return s;
  }
  s.data.resize(data.size() / sizeof(codec::Word));
  if (!data.empty()) std::memcpy(s.data.data(), data.data(), data.size());
  return s;
}

void SnapshotFile::remove(const StreamId& stream, Version below) {
  const std::string name = stream.name();
  use(false, [&] {
    const InUse in_use(*remove_);
    remove_->bind(1, std::string_view(name)).bind(2, as_stored(below)).run();
  });
}

void SnapshotFile::sync() {
  use(false, [&] { database_->checkpoint(SQLITE_CHECKPOINT_TRUNCATE); });
}

}  // namespace troupe::persistence::sqlite
