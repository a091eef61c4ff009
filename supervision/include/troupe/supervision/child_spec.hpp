// Child specs: what a supervisor knows of a child before it runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/ref.hpp>
#include <troupe/runtime/spawn_options.hpp>
#include <troupe/supervision/backoff.hpp>

namespace troupe {

/// When a child that ended is restarted (S62).
enum class Restart : unsigned char {
  permanent,  ///< always
  transient,  ///< after an abnormal end only
  temporary,  ///< never, also not when a sibling's end took it along
};

/// How a child is stopped.
/// Thread safety: a plain value.
class Shutdown {
 public:
  /// Orderly, and killed after this time.
  template <class Rep, class Period>
  Shutdown(std::chrono::duration<Rep, Period> limit)  // NOLINT: `.shutdown = 2s` reads well
      : limit_(limit) {}
  /// At once, without grace.
  [[nodiscard]] static Shutdown brutal_kill() { return Shutdown{Duration::zero()}; }
  /// Orderly, however long it takes.
  [[nodiscard]] static Shutdown infinity() {
    Shutdown s{Duration::zero()};
    s.limit_.reset();
    return s;
  }
  [[nodiscard]] const std::optional<Duration>& limit() const noexcept { return limit_; }

 private:
  std::optional<Duration> limit_;
};

enum class ChildType : unsigned char { worker, supervisor };

/// Describes one child. Only the id is needed.
struct ChildSpec {
  std::string id = {};  ///< unique among the children; also the actor's name
  Restart restart = Restart::permanent;
  std::optional<Shutdown> shutdown = {};  ///< default: 5 s for workers, infinity for supervisors
  std::optional<ChildType> type = {};     ///< default: what the class is
  bool significant = false;               ///< its own end may end the supervisor (AutoShutdown)
  std::optional<Backoff> backoff = {};    ///< default: the supervisor's
  Duration start_timeout = std::chrono::seconds(5);  ///< for on_start; no_timeout: for ever
  SpawnOptions options = {};  ///< stash, mailbox, ...; name and on_end are the supervisor's
};

/// Whether the end of significant children ends the supervisor (S67).
enum class AutoShutdown : unsigned char { never, any_significant, all_significant };

/// What is the matter with a child, for administration.
enum class ChildProblem : unsigned char {
  not_found,        ///< no child has this id
  already_started,  ///< a child of this id runs
  already_present,  ///< a child of this id is known and not running: restart or delete it
  running,          ///< it runs: terminate it first
  restarting,       ///< it is between two incarnations
  not_for_dynamic,  ///< a dynamic supervisor's children have no ids of their own
  bad_spec,         ///< the spec contradicts itself or the supervisor's options
  start_failed,     ///< its constructor or on_start failed
};
[[nodiscard]] std::string_view to_string(ChildProblem problem) noexcept;

/// start_child found a problem other than the child's own failure.
/// Thread safety: a plain value.
class ChildRefused : public StartFailed {
 public:
  ChildRefused(ChildProblem problem, const std::string& what, Ref<> existing = {})
      : StartFailed(what), problem_(problem), existing_(existing) {}
  [[nodiscard]] ChildProblem problem() const noexcept { return problem_; }
  /// The child that runs under the id (already_started).
  [[nodiscard]] const Ref<>& existing() const noexcept { return existing_; }

 private:
  ChildProblem problem_;
  Ref<> existing_;
};

/// One line of which_children.
struct ChildInfo {
  std::string id;
  Ref<> ref;  ///< empty when it does not run
  ChildType type{};
  Restart restart{};
  bool is_restarting = false;
};

/// What count_children counts.
struct ChildCounts {
  std::size_t specs = 0;
  std::size_t active = 0;
  std::size_t supervisors = 0;
  std::size_t workers = 0;
};

}  // namespace troupe
