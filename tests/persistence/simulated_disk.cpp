#include "persistence/simulated_disk.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

namespace troupe::test {

namespace {
constexpr std::size_t sector_bytes = 512;
std::string name_of_next() {
  static std::atomic<int> next = 0;
  return "simulated-" + std::to_string(++next);
}
}  // namespace

/// An open file of one connection.
struct SimulatedDisk::Handle {
  sqlite3_file base;
  SimulatedDisk* disk;
  std::shared_ptr<File> file;
  std::shared_ptr<Shared> shared;
  std::uint64_t life;
  int lock;
  std::uint8_t shm_shared;  ///< bits
  std::uint8_t shm_alone;
  bool syncs_names;

  /// Its process is still there.
  [[nodiscard]] bool lives() const { return life == disk->life_ && !disk->has_crashed_; }
};

/// SQLite's calls: https://www.sqlite.org/c3ref/io_methods.html and vfs.html.
struct SimulatedDisk::Calls {
  static Handle& of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
  static SimulatedDisk& of(sqlite3_vfs* vfs) { return *static_cast<SimulatedDisk*>(vfs->pAppData); }

  static int close(sqlite3_file* file) {
    Handle& h = of(file);
    {
      const std::lock_guard guard(h.disk->lock_);
      if (h.lives()) give_up(h, SQLITE_LOCK_NONE);
    }
    h.file.~shared_ptr();
    h.shared.~shared_ptr();
    return SQLITE_OK;
  }
  static int read(sqlite3_file* file, void* to, int count, sqlite3_int64 at) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->lock_);
    if (!h.lives()) return SQLITE_IOERR_READ;
    if (const int code = h.disk->before(Operation::read); code != SQLITE_OK) return code;
    const auto& bytes = h.file->written;
    const auto from = std::min(static_cast<std::size_t>(at), bytes.size());
    const auto there = std::min(static_cast<std::size_t>(count), bytes.size() - from);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(from), there,
                static_cast<unsigned char*>(to));
    std::memset(static_cast<char*>(to) + there, 0, static_cast<std::size_t>(count) - there);
    return there == static_cast<std::size_t>(count) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->lock_);
    if (!h.lives()) return SQLITE_IOERR_WRITE;
    const auto* bytes = static_cast<const unsigned char*>(from);
    Change change{static_cast<std::size_t>(at), {bytes, bytes + count}, false};
    const int code = h.disk->before(Operation::write);
    if (h.disk->has_crashed_) {
      h.disk->tear(*h.file, std::move(change));
    } else if (code != SQLITE_OK && h.disk->fails_short_) {
      change.bytes.resize(change.bytes.size() / 2);
      h.disk->change(*h.file, std::move(change));
    } else if (code == SQLITE_OK) {
      h.disk->change(*h.file, std::move(change));
    }
    return code;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->lock_);
    if (!h.lives()) return SQLITE_IOERR_TRUNCATE;
    if (const int code = h.disk->before(Operation::truncate); code != SQLITE_OK) return code;
    h.disk->change(*h.file, {static_cast<std::size_t>(size), {}, true});
    return SQLITE_OK;
  }
  static int sync(sqlite3_file* file, int /*flags*/) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->lock_);
    if (!h.lives()) return SQLITE_IOERR_FSYNC;
    if (const int code = h.disk->before(Operation::sync); code != SQLITE_OK) {
      // As Linux does: what could not be written is not tried again, and counts as clean.
      if (!h.disk->has_crashed_) h.disk->lose(*h.file, Left::some);
      return code;
    }
    h.file->synced = h.file->written;
    h.file->unsynced.clear();
    if (std::exchange(h.syncs_names, false)) h.disk->synced_names_ = h.disk->names_;
    // As ext4, XFS and Btrfs do: with a file its name is synced.
    for (const auto& [name, there] : h.disk->names_)
      if (there == h.file) h.disk->synced_names_[name] = there;
    return SQLITE_OK;
  }
  static int size(sqlite3_file* file, sqlite3_int64* size) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->lock_);
    *size = static_cast<sqlite3_int64>(h.file->written.size());
    return h.lives() ? SQLITE_OK : SQLITE_IOERR_FSTAT;
  }

  // ---- locks: https://www.sqlite.org/lockingv3.html

  static int lock(sqlite3_file* file, int level) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->lock_);
    if (!h.lives()) return SQLITE_IOERR_LOCK;
    if (h.lock >= level) return SQLITE_OK;
    File& f = *h.file;
    const auto others = [&](const void* who) { return who != nullptr && who != &h; };
    if (level == SQLITE_LOCK_SHARED) {
      if (others(f.pending) || others(f.exclusive)) return SQLITE_BUSY;
      ++f.readers;
    } else if (level == SQLITE_LOCK_RESERVED) {
      if (others(f.reserved)) return SQLITE_BUSY;
      f.reserved = &h;
    } else {
      if (others(f.reserved) || others(f.pending)) return SQLITE_BUSY;
      f.pending = &h;
      if (f.readers > 1) return SQLITE_BUSY;
      f.exclusive = &h;
    }
    h.lock = level;
    return SQLITE_OK;
  }
  static void give_up(Handle& h, int level) {
    File& f = *h.file;
    if (level < SQLITE_LOCK_RESERVED) {
      for (const void** who : {&f.reserved, &f.pending, &f.exclusive})
        if (*who == &h) *who = nullptr;
    }
    if (level == SQLITE_LOCK_NONE && h.lock >= SQLITE_LOCK_SHARED) --f.readers;
    h.lock = std::min(h.lock, level);
  }
  static int unlock(sqlite3_file* file, int level) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->lock_);
    if (h.lives()) give_up(h, level);
    return SQLITE_OK;
  }
  static int is_reserved(sqlite3_file* file, int* is) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->lock_);
    *is = h.file->reserved != nullptr ? 1 : 0;
    return SQLITE_OK;
  }

  // ---- memory that connections share: as a process has it, gone with it

  static int shm_map(sqlite3_file* file, int region, int bytes, int extend, void volatile** at) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->lock_);
    *at = nullptr;
    if (!h.lives() || bytes > 32768) return SQLITE_IOERR_SHMMAP;
    if (h.file->shared == nullptr) h.file->shared = std::make_shared<Shared>();
    h.shared = h.file->shared;
    auto& regions = h.shared->regions;
    while (regions.size() <= static_cast<std::size_t>(region)) {
      if (extend == 0) return SQLITE_OK;
      regions.push_back(std::make_unique<std::array<char, 32768>>());
    }
    *at = regions[static_cast<std::size_t>(region)]->data();
    return SQLITE_OK;
  }
  static int shm_lock(sqlite3_file* file, int first, int count, int flags) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->lock_);
    if (!h.lives() || h.shared == nullptr) return SQLITE_IOERR_SHMLOCK;
    const bool is_shared = (flags & SQLITE_SHM_SHARED) != 0;
    std::uint8_t& has = is_shared ? h.shm_shared : h.shm_alone;
    const auto bit = [](int i) { return static_cast<std::uint8_t>(1 << i); };
    auto& locks = h.shared->locks;
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
      for (int i = first; i < first + count; ++i) {
        if ((has & bit(i)) == 0) continue;
        locks[static_cast<std::size_t>(i)] -= is_shared ? 1 : -1;
        has = static_cast<std::uint8_t>(has & ~bit(i));
      }
      return SQLITE_OK;
    }
    for (int i = first; i < first + count; ++i) {
      const int held = locks[static_cast<std::size_t>(i)];
      if ((has & bit(i)) == 0 && (is_shared ? held < 0 : held != 0)) return SQLITE_BUSY;
    }
    for (int i = first; i < first + count; ++i) {
      if ((has & bit(i)) != 0) continue;
      locks[static_cast<std::size_t>(i)] += is_shared ? 1 : -1;
      has = static_cast<std::uint8_t>(has | bit(i));
    }
    return SQLITE_OK;
  }
  static void shm_barrier(sqlite3_file* /*file*/) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  static int shm_unmap(sqlite3_file* file, int /*is_deleted*/) {
    Handle& h = of(file);
    const std::lock_guard guard(h.disk->lock_);
    if (h.shared == nullptr) return SQLITE_OK;
    for (int i = 0; i < SQLITE_SHM_NLOCK; ++i) {
      if ((h.shm_shared >> i & 1) != 0) --h.shared->locks[static_cast<std::size_t>(i)];
      if ((h.shm_alone >> i & 1) != 0) h.shared->locks[static_cast<std::size_t>(i)] = 0;
    }
    h.shm_shared = h.shm_alone = 0;
    h.shared.reset();
    // As on Unix: the last one ends it, and the next one reads the log again.
    if (h.file->shared.use_count() == 1) h.file->shared.reset();
    return SQLITE_OK;
  }

  // ---- files by name

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    SimulatedDisk& disk = of(vfs);
    static const sqlite3_io_methods methods{
        2,         &close,       &read,        &write,   &truncate, &sync,   &size,
        &lock,     &unlock,      &is_reserved, &control, &sector,   &traits, &shm_map,
        &shm_lock, &shm_barrier, &shm_unmap,   nullptr,  nullptr};
    file->pMethods = nullptr;
    const std::lock_guard guard(disk.lock_);
    if (disk.has_crashed_) return SQLITE_CANTOPEN;
    std::shared_ptr<File> opened;
    bool is_new = true;
    if (name == nullptr) {  // one of its own, that has no name
      opened = std::make_shared<File>();
    } else if (const auto found = disk.names_.find(name); found != disk.names_.end()) {
      opened = found->second;
      is_new = false;
    } else if ((flags & SQLITE_OPEN_CREATE) == 0) {
      return SQLITE_CANTOPEN;
    } else {
      opened = disk.names_.emplace(name, std::make_shared<File>()).first->second;
    }
    constexpr int logs = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    new (file) Handle{{&methods}, &disk,      std::move(opened),
                      nullptr,    disk.life_, SQLITE_LOCK_NONE,
                      0,          0,          is_new && (flags & logs) != 0};
    if (out != nullptr) *out = flags;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int syncs_names) {
    SimulatedDisk& disk = of(vfs);
    const std::lock_guard guard(disk.lock_);
    if (disk.has_crashed_) return SQLITE_IOERR_DELETE;
    if (!disk.names_.contains(name)) return SQLITE_IOERR_DELETE_NOENT;
    if (const int code = disk.before(Operation::remove); code != SQLITE_OK) return code;
    disk.names_.erase(name);
    if (syncs_names != 0) disk.synced_names_ = disk.names_;
    return SQLITE_OK;
  }
  static int access(sqlite3_vfs* vfs, const char* name, int /*flags*/, int* is) {
    SimulatedDisk& disk = of(vfs);
    const std::lock_guard guard(disk.lock_);
    const auto found = disk.names_.find(name);
    // As on Unix: an empty file counts as none.
    *is = found != disk.names_.end() && !found->second->written.empty() ? 1 : 0;
    return disk.has_crashed_ ? SQLITE_IOERR_ACCESS : SQLITE_OK;
  }
  static int full_name(sqlite3_vfs* /*vfs*/, const char* name, int room, char* full) {
    std::snprintf(full, static_cast<std::size_t>(room), "%s", name);
    return SQLITE_OK;
  }
  static int randomness(sqlite3_vfs* vfs, int count, char* to) {
    SimulatedDisk& disk = of(vfs);
    const std::lock_guard guard(disk.lock_);
    for (int i = 0; i < count; ++i) to[i] = static_cast<char>(disk.random_.below(256));
    return count;
  }

  static int control(sqlite3_file* /*file*/, int /*what*/, void* /*with*/) {
    return SQLITE_NOTFOUND;
  }
  static int sector(sqlite3_file* /*file*/) { return 4096; }
  static int traits(sqlite3_file* /*file*/) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }
  static int sleep(sqlite3_vfs* /*vfs*/, int us) { return us; }
  static int now(sqlite3_vfs* /*vfs*/, double* days) {
    *days = 2'460'000.5;
    return SQLITE_OK;
  }
  static int now_ms(sqlite3_vfs* /*vfs*/, sqlite3_int64* ms) {
    *ms = 212'544'043'200'000;
    return SQLITE_OK;
  }
  static int last_error(sqlite3_vfs* /*vfs*/, int /*room*/, char* /*text*/) { return 0; }
};

SimulatedDisk::SimulatedDisk(std::uint64_t seed)
    : random_(seed), layer_(name_of_next()), vfs_(std::make_unique<sqlite3_vfs>()) {
  *vfs_ = {2,
           static_cast<int>(sizeof(Handle)),
           512,
           nullptr,
           layer_.c_str(),
           this,
           &Calls::open,
           &Calls::remove,
           &Calls::access,
           &Calls::full_name,
           nullptr,
           nullptr,
           nullptr,
           nullptr,
           &Calls::randomness,
           &Calls::sleep,
           &Calls::now,
           &Calls::last_error,
           &Calls::now_ms,
           nullptr,
           nullptr,
           nullptr};
  sqlite3_vfs_register(vfs_.get(), 0);
}
SimulatedDisk::~SimulatedDisk() {
  sqlite3_vfs_unregister(vfs_.get());
}

std::uint64_t SimulatedDisk::count(Operation operation) const {
  const std::lock_guard guard(lock_);
  return counts_[static_cast<std::size_t>(operation)];
}
std::uint64_t SimulatedDisk::changes() const {
  const std::lock_guard guard(lock_);
  return counts_[1] + counts_[2] + counts_[3] + counts_[4];
}

void SimulatedDisk::fail(Operation operation, std::uint64_t nth, int code, bool is_short) {
  const std::uint64_t now = count(operation);
  const std::lock_guard guard(lock_);
  failing_ = operation;
  fails_at_ = now + nth;
  fails_with_ = code;
  fails_short_ = is_short;
  has_failed_ = false;
}
void SimulatedDisk::crash_at_change(std::uint64_t nth) {
  const std::uint64_t now = changes();
  const std::lock_guard guard(lock_);
  crashes_at_ = now + nth;
}
void SimulatedDisk::crash() {
  const std::lock_guard guard(lock_);
  has_crashed_ = true;
}
bool SimulatedDisk::has_crashed() const {
  const std::lock_guard guard(lock_);
  return has_crashed_;
}
bool SimulatedDisk::has_failed() const {
  const std::lock_guard guard(lock_);
  return has_failed_;
}

/// What the operation that is about to be done ends with.
int SimulatedDisk::before(Operation operation) {
  const std::uint64_t number = ++counts_[static_cast<std::size_t>(operation)];
  const std::uint64_t changed = counts_[1] + counts_[2] + counts_[3] + counts_[4];
  if (operation != Operation::read && changed == crashes_at_) {
    has_crashed_ = true;
    return SQLITE_IOERR;
  }
  if (operation == failing_ && number == fails_at_) {
    has_failed_ = true;
    return fails_with_;
  }
  return SQLITE_OK;
}

void SimulatedDisk::apply(std::vector<unsigned char>& to, const Change& change) {
  if (change.is_end) {
    to.resize(change.at);
    return;
  }
  if (to.size() < change.at + change.bytes.size()) to.resize(change.at + change.bytes.size());
  std::copy(change.bytes.begin(), change.bytes.end(),
            to.begin() + static_cast<std::ptrdiff_t>(change.at));
}
void SimulatedDisk::change(File& file, Change change) {
  apply(file.written, change);
  file.unsynced.push_back(std::move(change));
}
/// Some of its sectors, the first ones.
void SimulatedDisk::tear(File& file, Change made) {
  const auto sectors = static_cast<std::uint32_t>(made.bytes.size() / sector_bytes);
  made.bytes.resize(random_.below(sectors + 1) * sector_bytes);
  if (!made.bytes.empty()) change(file, std::move(made));
}

void SimulatedDisk::lose(File& file, Left left) {
  const auto first = random_.below(static_cast<std::uint32_t>(file.unsynced.size() + 1));
  std::uint32_t number = 0;
  for (Change& c : file.unsynced) {
    const bool is_left = left == Left::the_first ? number++ < first : random_.chance(0.5);
    if (left == Left::nothing || !is_left) continue;
    if (!c.is_end && random_.chance(0.1))
      c.bytes.resize(c.bytes.size() / sector_bytes / 2 * sector_bytes);
    apply(file.synced, c);
  }
  file.unsynced.clear();
  file.written = file.synced;
}

void SimulatedDisk::restart() {
  const std::lock_guard guard(lock_);
  ++life_;
  has_crashed_ = false;
  crashes_at_ = fails_at_ = 0;
  for (auto& [name, file] : names_) {
    file->shared.reset();
    file->readers = 0;
    file->reserved = file->pending = file->exclusive = nullptr;
  }
}

void SimulatedDisk::restart_without_power(Left left) {
  {
    const std::lock_guard guard(lock_);
    Names there = synced_names_;
    if (left != Left::nothing) {  // a change of the folder may have come through, too
      for (const auto& [name, file] : names_)
        if (random_.chance(0.5)) there[name] = file;
      std::erase_if(
          there, [&](const auto& n) { return !names_.contains(n.first) && random_.chance(0.5); });
    }
    names_ = synced_names_ = there;
    for (auto& [name, file] : names_) lose(*file, left);
  }
  restart();
}

}  // namespace troupe::test
