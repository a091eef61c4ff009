// What a ref is outside of its process: in a message's bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include <troupe/runtime/detail/envelope.hpp>

namespace troupe {

class System;

namespace detail {

/// The name of one actor among all nodes. One of zeros names nobody.
struct WireRef {
  std::uint64_t node = 0;    ///< the incarnation of its node
  std::uint64_t actor = 0;   ///< which of its actors; never given to another
  std::string_view address;  ///< where the node is reached; kept for ever
};

/// Gives the actors of one System names for other processes, and finds those named by others. Made
/// by what connects the System with them. Thread safety: any thread.
class RefNames {
 public:
  virtual ~RefNames() = default;
  /// Names an actor of this System. One that has ended keeps its name, or names nobody.
  [[nodiscard]] virtual WireRef name(const Address& actor) = 0;
  /// The actor of that name, here or elsewhere; an empty address where it is not known any more.
  [[nodiscard]] virtual Address find(const WireRef& name) = 0;
};

/// Numbers the actors of one System that others have heard of. One that has ended loses its number
/// some time later, which no other gets. Thread safety: any thread.
class ActorNumbers {
 public:
  /// Its number; its first one, if it has none yet.
  [[nodiscard]] std::uint64_t of(const Address& actor);
  /// An empty address where no living actor has it.
  [[nodiscard]] Address find(std::uint64_t number);
  [[nodiscard]] std::size_t size() const;

 private:
  void forget_ended();

  mutable std::mutex lock_;
  std::unordered_map<Life, std::uint64_t, HashLife> numbers_;
  std::unordered_map<std::uint64_t, Address> actors_;
  std::uint64_t last_ = 0;
  std::size_t look_at_ = 1024;  ///< when there are so many, ended ones are looked for
};

/// For the life of the System. Throws UsageError when it has one already.
void set_ref_names(System& system, std::shared_ptr<RefNames> names);
/// Null when the System has none.
[[nodiscard]] RefNames* ref_names(System& system) noexcept;
/// Names an actor as its own System does; an empty address, and one of a System that has ended,
/// name nobody. Throws UsageError when its System has no names. Any thread.
[[nodiscard]] WireRef wire_name(const Address& actor);
/// A copy of a text that is kept for ever; equal texts share one. For what is bounded: addresses of
/// nodes. Any thread.
[[nodiscard]] std::string_view kept_for_ever(std::string_view text);

}  // namespace detail
}  // namespace troupe
