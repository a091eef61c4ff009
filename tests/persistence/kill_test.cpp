// DISK1: a process is killed while it writes, again and again.
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <catch2/catch.hpp>
#include <troupe/persistence_sqlite/sqlite_store.hpp>
#include <troupe/runtime/random.hpp>

#include "persistence/account.hpp"
#include "support/schedules.hpp"
#include "support/temporary_folder.hpp"

using bank::Account;
using bank::Balance;
using bank::Deposit;
using bank::GetBalance;
using troupe::persistence::Journal;
using troupe::persistence::open_sqlite;
using troupe::test::from_environment;
using troupe::test::TemporaryFolder;

namespace {

constexpr int accounts = 4;

/// Deposits to all accounts for ever; writes each answer's account and balance once it is there.
[[noreturn]] void deposit_for_ever(const std::string& path, int out) {
  troupe::System system{{.workers = 2, .log = troupe::no_log()}};
  Journal::open(system, open_sqlite({path}));
  std::vector<troupe::Ref<Account>> all;
  for (int i = 0; i < accounts; ++i) all.push_back(system.spawn<Account>(std::to_string(i)));
  for (;;) {
    std::vector<troupe::Ask<Balance>> asks;
    for (const auto& account : all)
      asks.push_back(account.ask(Deposit{1, "x"}, troupe::no_timeout));
    for (int i = 0; i < accounts; ++i) {
      const std::int64_t told[] = {i, asks[static_cast<std::size_t>(i)].await().cents};
      if (write(out, told, sizeof(told)) != sizeof(told)) _exit(1);
    }
  }
}

/// What the process had acknowledged when it was killed, by account; `acks`: how many were heard
/// before.
std::vector<std::int64_t> acknowledged_until_killed(const std::string& path, std::uint32_t acks) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    close(ends[0]);
    deposit_for_ever(path, ends[1]);
  }
  close(ends[1]);
  std::vector<std::int64_t> balances(accounts, 0);
  std::int64_t told[2];
  for (std::uint32_t heard = 0; read(ends[0], told, sizeof(told)) == sizeof(told); ++heard) {
    balances.at(static_cast<std::size_t>(told[0])) = told[1];
    if (heard == acks) kill(child, SIGKILL);  // what it had written by then is still read
  }
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  return balances;
}

}  // namespace

TEST_CASE("DISK1 kill -9 at any moment loses nothing that was acknowledged",
          "[persistence][sqlite]") {
  const std::uint64_t kills = from_environment("TROUPE_KILLS", 50);
  const std::uint64_t seed = from_environment("TROUPE_SEED", troupe::random_seed());
  INFO("TROUPE_SEED=" << seed);
  troupe::Random random{seed};
  const TemporaryFolder folder;
  const std::string path = folder.file("journal.db");
  std::vector<std::int64_t> least(accounts, 0);
  for (std::uint64_t i = 0; i < kills; ++i) {
    const auto told = acknowledged_until_killed(path, random.below(40));
    for (int a = 0; a < accounts; ++a) {
      auto& last = least[static_cast<std::size_t>(a)];
      last = std::max(last, told[static_cast<std::size_t>(a)]);
    }
    troupe::testkit::TestSystem system{1};
    Journal::open(system, open_sqlite({path}));  // at once: nothing holds a lock any more
    for (int a = 0; a < accounts; ++a) {
      auto& last = least[static_cast<std::size_t>(a)];
      const auto account = system.spawn<Account>(std::to_string(a));
      const std::int64_t balance = account.ask(GetBalance{}).await().cents;
      REQUIRE(balance >= last);
      REQUIRE(balance <= last + 1);  // one command is under way at a time
      last = balance;
    }
  }
  WARN(kills << " kills, acknowledged events lost: 0, of "
             << least[0] + least[1] + least[2] + least[3]);
}
