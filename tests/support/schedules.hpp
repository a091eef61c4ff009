// Runs one story on many seeded schedules and once on the real scheduler.
#pragma once

#include <cstdlib>
#include <string>

#include <catch2/catch.hpp>
#include <troupe/testkit/testkit.hpp>

namespace troupe::test {

/// TROUPE_SEED=n repeats one seed; TROUPE_SEEDS=n says how many are tried.
inline std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

template <class Story>
void on_seeds(Story story, SystemOptions options = {}) {
  const std::uint64_t only = from_environment("TROUPE_SEED", 0);
  const std::uint64_t first = only != 0 ? only : 1;
  const std::uint64_t last = only != 0 ? only : from_environment("TROUPE_SEEDS", 25);
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    INFO("seeded schedule, TROUPE_SEED=" << seed);
    testkit::TestSystem system{seed, testkit::Schedule::seeded, options};
    story(system);
  }
}

template <class Story>
void on_every_schedule(Story story, SystemOptions options = {}) {
  on_seeds(story, options);
  for (int i = 0; i < 3; ++i) {
    INFO("the real scheduler on a manual clock");
    testkit::TestSystem system{1, testkit::Schedule::threads, options};
    story(system);
  }
}

/// Remembers what observers are told.
class Recorder final : public Observer {
 public:
  struct Event {
    std::string what;
    Ref<> who;
    std::string text;
  };
  void dead_letter(const DeadLetter& letter) override {
    add("dead_letter", letter.receiver,
        std::string(letter.message_type) + ": " + std::string(to_string(letter.reason)));
  }
  void failed(const Ref<>& who, const ExitReason& why) override {
    add("failed", who, why.to_string());
  }
  void restarted(const Ref<>& who, std::uint32_t) override { add("restarted", who, ""); }
  void ended(const Ref<>& who, const ExitReason& why) override {
    add("ended", who, why.to_string());
  }
  void abandoned(const Ref<>& who, std::string_view message_type) override {
    add("abandoned", who, std::string(message_type));
  }
  void escalated(const Ref<>& who, const ExitReason& why) override {
    add("escalated", who, why.to_string());
  }

  std::size_t count(std::string_view what) {
    std::lock_guard guard(mutex_);
    std::size_t n = 0;
    for (const Event& e : events_) n += e.what == what ? 1 : 0;
    return n;
  }
  std::vector<Event> all(std::string_view what) {
    std::lock_guard guard(mutex_);
    std::vector<Event> found;
    for (const Event& e : events_) {
      if (e.what == what) found.push_back(e);
    }
    return found;
  }
  void clear() {
    std::lock_guard guard(mutex_);
    events_.clear();
  }

 private:
  void add(std::string what, const Ref<>& who, std::string text) {
    std::lock_guard guard(mutex_);
    events_.push_back({std::move(what), who, std::move(text)});
  }
  std::mutex mutex_;
  std::vector<Event> events_;
};

inline SystemOptions observed_by(const std::shared_ptr<Recorder>& recorder) {
  SystemOptions options;
  options.observers = {recorder};
  return options;
}

/// A log that keeps its lines, each as "level who: text".
class LogLines final : public Log {
 public:
  void write(LogLevel level, std::string_view who, std::string_view text) override {
    static constexpr const char* names[] = {"debug", "info", "warning", "error"};
    std::lock_guard guard(mutex_);
    lines_.push_back(std::string(names[static_cast<std::size_t>(level)]) + " " + std::string(who) +
                     ": " + std::string(text));
  }
  std::vector<std::string> take() {
    std::lock_guard guard(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

inline SystemOptions logged_to(const std::shared_ptr<LogLines>& lines) {
  SystemOptions options;
  options.log = lines;
  return options;
}

}  // namespace troupe::test
