// Decisions by type of failure.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include <troupe/runtime/exit_reason.hpp>

namespace troupe {

/// What a supervisor does about a child's failure.
enum class Decision : unsigned char {
  restart,   ///< by the child's restart type and the strategy
  resume,    ///< the child goes on with its state; the message is lost. Impossible after a failed
             ///< start: then restart
  stop,      ///< the child ends and is not restarted
  escalate,  ///< the supervisor itself gives up
};

/// Rules from types of exceptions to decisions; the first that matches holds (S73).
/// `Decider{}.on<Timeout>(Decision::resume).on<BadConfig>(Decision::escalate)`
/// Thread safety: a plain value.
class Decider {
 public:
  template <class E>
  Decider& on(Decision decision) & {
    rules_.emplace_back([](const ExitReason& why) { return why.is_a<E>(); }, decision);
    return *this;
  }
  template <class E>
  Decider&& on(Decision decision) && {
    return std::move(on<E>(decision));
  }
  /// For failures that no rule matches; restart if not given.
  Decider&& otherwise(Decision decision) && {
    otherwise_ = decision;
    return std::move(*this);
  }
  [[nodiscard]] Decision operator()(const ExitReason& why) const {
    for (const auto& [matches, decision] : rules_) {
      if (matches(why)) return decision;
    }
    return otherwise_;
  }

 private:
  std::vector<std::pair<std::function<bool(const ExitReason&)>, Decision>> rules_;
  Decision otherwise_ = Decision::restart;
};

}  // namespace troupe
