#include <troupe/persistence/verify.hpp>

#include <algorithm>
#include <map>

namespace troupe::persistence {

namespace {

constexpr std::size_t findings_max = 100;

/// One slice of a journal.
class SliceReader {
 public:
  SliceReader(const Journal& journal, std::uint32_t slice, Verified& verified)
      : journal_(journal), slice_(slice), verified_(verified) {}

  void read_all() {
    for (;;) {
      const auto events =
          journal_.read_slice(slice_, last_, journal_.options().replay_events).try_await();
      if (!events) {
        find("behind position " + std::to_string(last_) + ": " + events.error().what);
        return;
      }
      if (events->empty()) break;
      for (const StoredEvent& e : *events) check(e);
    }
    for (const auto& [stream, version] : versions_) check_head(stream, version);
    verified_.streams += versions_.size();
  }

 private:
  void find(const std::string& what) {
    if (verified_.findings.size() < findings_max)
      verified_.findings.push_back("slice " + std::to_string(slice_) + ": " + what);
  }
  void check(const StoredEvent& e) {
    const std::string where = "position " + std::to_string(e.position);
    if (e.position != last_ + 1) find(where + " comes after " + std::to_string(last_));
    Version& version = versions_[e.stream];
    if (e.version != version + 1)
      find(where + " is version " + std::to_string(e.version) + " of " + e.stream.name() +
           ", after version " + std::to_string(version));
    if (slice_of(e.stream, journal_.slices()) != slice_)
      find(where + " is of " + e.stream.name() + ", which lies in another slice");
    last_ = std::max(last_ + 1, e.position);
    version = e.version;
    ++verified_.events;
    if (e.is_deleted) ++verified_.deleted;
  }
  /// Events may have come since: a head that is higher is none.
  void check_head(const StreamId& stream, Version version) {
    const auto head = journal_.head(stream).try_await();
    if (!head) {
      find("the head of " + stream.name() + " can't be read: " + head.error().what);
    } else if (*head < version) {
      find(stream.name() + " has version " + std::to_string(version) + ", and its head is " +
           std::to_string(*head));
    }
  }

  const Journal& journal_;
  const std::uint32_t slice_;
  Verified& verified_;
  Position last_ = 0;
  std::map<StreamId, Version> versions_;
};

}  // namespace

Verified verify(const Journal& journal) {
  Verified verified;
  for (std::uint32_t slice = 0; slice < journal.slices(); ++slice)
    SliceReader(journal, slice, verified).read_all();
  return verified;
}

}  // namespace troupe::persistence
