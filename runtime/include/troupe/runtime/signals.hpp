// What the runtime tells an actor. Received like messages, without being listed; no ref accepts
// them.
#pragma once

#include <cstdint>

#include <troupe/runtime/exit_reason.hpp>
#include <troupe/runtime/ref.hpp>

namespace troupe {

/// A watched actor has ended. Once per watch, after everything the ended actor had sent (S3, S50).
struct Terminated {
  Ref<> who;
  ExitReason why;
};

/// Names one monitor, to tell its Down from others and to end it.
struct MonitorToken {
  std::uint64_t value = 0;
  friend bool operator==(const MonitorToken&, const MonitorToken&) = default;
};

/// A monitored actor has ended, or (each_incarnation) was restarted. Once per token and end (S53).
struct Down {
  MonitorToken token;
  Ref<> who;
  ExitReason why;
  bool restarted = false;  ///< true: a new incarnation follows and the monitor stays
};

/// A linked actor has ended, and this actor traps exits (S59).
struct Exit {
  Ref<> who;
  ExitReason why;
};

/// Nothing that counts has come for as long as set_receive_timeout said (S36). It may stand behind
/// a message that came meanwhile, so it proves no silence.
struct ReceiveTimeout {};

/// For `monitor(ref, each_incarnation)`.
struct EachIncarnation {};
inline constexpr EachIncarnation each_incarnation;

namespace detail {
template <class M>
inline constexpr bool is_signal = std::is_same_v<M, Terminated> || std::is_same_v<M, Down> ||
                                  std::is_same_v<M, Exit> || std::is_same_v<M, ReceiveTimeout>;
/// Those of a list that a ref may accept.
template <class... Ms>
using NoSignals =
    typename Concat<std::conditional_t<is_signal<Ms>, TypeList<>, TypeList<Ms>>...>::type;
}  // namespace detail

}  // namespace troupe
