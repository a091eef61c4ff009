// The conformance suite, run by every store.
#include <troupe/persistence_testkit/store_conformance.hpp>

#include <catch2/catch.hpp>
#include <troupe/persistence/memory_store.hpp>

using troupe::persistence::MemoryStore;
using troupe::persistence::Store;
using troupe::testkit::MakeStore;
using troupe::testkit::StoreUnderTest;

namespace {

class InMemory final : public StoreUnderTest {
 public:
  explicit InMemory(std::uint32_t slices) : store_(std::make_shared<MemoryStore>(slices)) {}
  [[nodiscard]] std::shared_ptr<Store> open() override { return store_; }

 private:
  std::shared_ptr<MemoryStore> store_;
};

void run_all(const MakeStore& make) {
  for (const auto& one : troupe::testkit::store_conformance()) {
    DYNAMIC_SECTION(one.name) {
      REQUIRE_NOTHROW(one.run(make));
    }
  }
}

}  // namespace

TEST_CASE("conformance: a journal in memory with one slice", "[persistence]") {
  run_all([] { return std::make_unique<InMemory>(1); });
}
TEST_CASE("conformance: a journal in memory with 64 slices", "[persistence]") {
  run_all([] { return std::make_unique<InMemory>(64); });
}
