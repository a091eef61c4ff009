// SerializedSends: what of a program's messages would not survive a way to another node?
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <troupe/testkit/test_system.hpp>

namespace troupe::testkit {

/// While it lives, each message that one actor of a TestSystem sends another arrives as what comes
/// out of encoding and decoding it. A System that is no node gets names for its actors, so that
/// refs travel too. Answers are not looked at, nor what an actor sends itself. One for a System at
/// a time. Thread safety: the test's thread only.
class SerializedSends {
 public:
  /// Throws UsageError for a System on threads.
  explicit SerializedSends(TestSystem& system);
  SerializedSends(const SerializedSends&) = delete;
  SerializedSends& operator=(const SerializedSends&) = delete;
  ~SerializedSends();

  /// How many messages went through their codec.
  [[nodiscard]] std::uint64_t count() const noexcept;
  /// What would not have survived, once for each type: "Order: has no schema". Those messages
  /// arrived as they were.
  [[nodiscard]] std::vector<std::string> losses() const;

 private:
  class Sends;
  TestSystem& system_;
  std::shared_ptr<Sends> sends_;
};

}  // namespace troupe::testkit
