// What a failed expectation of a probe or a harness throws.
#pragma once

#include <stdexcept>

namespace troupe::testkit {

/// A failed expectation. Derives from std::exception only, so that any test framework reports it.
/// Thread safety: a plain value.
class ExpectationFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace troupe::testkit
