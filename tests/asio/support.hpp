// An account that answers, late if it is told so.
#pragma once

#include <cstdint>
#include <vector>

#include <asio.hpp>
#include <troupe/asio/asio.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe::test {

struct GetBalance {
  using Reply = std::int64_t;
};
struct Freeze {
  using Reply = void;
};
struct Close {
  using Reply = bool;
};
class Account : public Actor<GetBalance, Freeze, Close> {
 public:
  std::int64_t receive(const GetBalance&) { return 100; }
  void receive(const Freeze&) {}
  void receive(const Close&, ReplyTo<bool> reply) { kept_.push_back(std::move(reply)); }

 private:
  std::vector<ReplyTo<bool>> kept_;
};

}  // namespace troupe::test
