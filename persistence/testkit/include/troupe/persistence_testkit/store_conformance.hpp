// What every store of a journal does: for those who write one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <troupe/persistence/store.hpp>

namespace troupe::testkit {

/// One journal's data, which can be opened again and again. A case of the suite gets a fresh one.
/// Thread safety: the test's thread only.
class StoreUnderTest {
 public:
  StoreUnderTest() = default;
  StoreUnderTest(const StoreUnderTest&) = delete;
  StoreUnderTest& operator=(const StoreUnderTest&) = delete;
  virtual ~StoreUnderTest() = default;
  /// Opens it. Those opened before may still be there: where that needs to be said (`--take-over`),
  /// it takes them over.
  [[nodiscard]] virtual std::shared_ptr<persistence::Store> open() = 0;
};
using MakeStore = std::function<std::unique_ptr<StoreUnderTest>()>;

/// One promise. `run` throws ExpectationFailed where a store does not keep it.
struct ConformanceCase {
  std::string name;
  std::function<void(const MakeStore& make)> run;
};

/// The suite: `for (const auto& c : store_conformance()) c.run(make);`, in any test framework. It
/// needs no network, and no time passes but the store's own.
[[nodiscard]] const std::vector<ConformanceCase>& store_conformance();

}  // namespace troupe::testkit
