// Asks from code that runs on an io_context.
#include <troupe/asio/ask.hpp>

#include <catch2/catch.hpp>

#include "asio/support.hpp"

using namespace std::chrono_literals;
using troupe::test::Account;
using troupe::test::Close;
using troupe::test::Freeze;
using troupe::test::GetBalance;

namespace {

troupe::SystemOptions quiet() {
  troupe::SystemOptions options;
  options.workers = 2;
  options.log = troupe::no_log();
  return options;
}
template <class E>
bool is(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const E&) {
    return true;
  } catch (...) {  // another error than the one asked for
  }
  return false;
}

}  // namespace

TEST_CASE("an answer completes a callback on the io_context's thread", "[asio]") {
  asio::io_context io;
  troupe::System system{quiet()};
  auto account = system.spawn<Account>();
  std::int64_t balance = 0;
  bool frozen = false;
  const auto here = std::this_thread::get_id();
  bool elsewhere = false;
  const auto token = [&](const std::exception_ptr& error, std::int64_t cents) {
    elsewhere = error != nullptr || std::this_thread::get_id() != here;
    balance = cents;
  };
  troupe::asio::ask(account, GetBalance{}, 1min, asio::bind_executor(io, token));
  troupe::asio::ask(
      account, Freeze{}, 1min,
      asio::bind_executor(io, [&](const std::exception_ptr& error) { frozen = error == nullptr; }));
  io.run();  // the asks under way keep it from returning
  REQUIRE(balance == 100);
  REQUIRE(frozen);
  REQUIRE_FALSE(elsewhere);
}

TEST_CASE("coroutines and futures ask too, and failures are thrown", "[asio]") {
  asio::io_context io;
  troupe::System system{quiet()};
  auto account = system.spawn<Account>();
  std::int64_t balance = 0;
  bool timed_out = false;
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        balance = co_await troupe::asio::ask(account, GetBalance{}, 1min, asio::use_awaitable);
        co_await troupe::asio::ask(account, Freeze{}, 1min, asio::use_awaitable);
        try {
          co_await troupe::asio::ask(account, Close{}, 10ms, asio::use_awaitable);
        } catch (const troupe::AskTimeout&) {
          timed_out = true;
        }
      },
      asio::detached);
  io.run();
  REQUIRE(balance == 100);
  REQUIRE(timed_out);
  auto future = troupe::asio::ask(account, GetBalance{}, 1min, asio::use_future);
  REQUIRE(future.get() == 100);
}

TEST_CASE("an actor that has ended, an empty ref and a System that is gone fail an ask", "[asio]") {
  asio::io_context io;
  std::vector<std::exception_ptr> errors;
  const auto note = [&] {
    return asio::bind_executor(
        io, [&errors](const std::exception_ptr& error, std::int64_t) { errors.push_back(error); });
  };
  troupe::Ref<Account> gone;
  {
    troupe::System system{quiet()};
    gone = system.spawn<Account>();
    system.stop(gone).await();
    troupe::asio::ask(gone, GetBalance{}, 1min, note());
    io.run();
    io.restart();
  }
  troupe::asio::ask(gone, GetBalance{}, 1min, note());
  troupe::asio::ask(troupe::Ref<Account>{}, GetBalance{}, 1min, note());
  io.run();
  REQUIRE(errors.size() == 3);
  REQUIRE(is<troupe::ReceiverDown>(errors[0]));
  REQUIRE(is<troupe::AskFailed>(errors[1]));
  REQUIRE(is<troupe::AskFailed>(errors[2]));
}

TEST_CASE("a System that ends completes the asks under way", "[asio]") {
  asio::io_context io;
  std::exception_ptr error;
  {
    troupe::System system{quiet()};
    auto account = system.spawn<Account>();
    troupe::asio::ask(
        account, Close{}, 1h,
        asio::bind_executor(io, [&](const std::exception_ptr& e, bool) { error = e; }));
    account.ask(GetBalance{}).await();  // the request before it is in the account's hands
  }
  io.run();
  REQUIRE(is<troupe::AskFailed>(error));
}

TEST_CASE("Asio's cancellation drops the ask", "[asio]") {
  asio::io_context io;
  troupe::System system{quiet()};
  auto account = system.spawn<Account>();
  asio::cancellation_signal cancel;
  std::exception_ptr error;
  troupe::asio::ask(account, Close{}, 1h,
                    asio::bind_cancellation_slot(
                        cancel.slot(), asio::bind_executor(io, [&](const std::exception_ptr& e,
                                                                   bool) { error = e; })));
  cancel.emit(asio::cancellation_type::terminal);
  io.run();
  REQUIRE(is<troupe::AskFailed>(error));
  REQUIRE(account.ask(GetBalance{}).await() == 100);
}

TEST_CASE("while a System shuts down an ask fails, and does nothing else", "[asio]") {
  asio::io_context io;
  troupe::System system{quiet()};
  auto account = system.spawn<Account>();
  system.shutdown();
  int calls = 0;
  std::exception_ptr error;
  troupe::asio::ask(account, GetBalance{}, 1min,
                    asio::bind_executor(io, [&](const std::exception_ptr& e, std::int64_t) {
                      ++calls;
                      error = e;
                    }));
  bool failed = false;
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        try {
          co_await troupe::asio::ask(account, GetBalance{}, 1min, asio::use_awaitable);
        } catch (const troupe::AskFailed&) {
          failed = true;
        }
      },
      asio::detached);
  io.run();
  REQUIRE(calls == 1);
  REQUIRE(is<troupe::AskFailed>(error));
  REQUIRE(failed);
}
