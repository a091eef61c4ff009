// What the program does: each command, and a script of them.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <unordered_map>

#include <troupe/persistence/time_travel.hpp>
#include <troupe/runtime/system.hpp>

#include "account.hpp"
#include "common/progress_bar.hpp"

namespace bank_account {

/// Why a command or an argument is turned down: for the user. Thread safety: as a plain value.
class Refusal : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What a script came to.
struct ScriptResult {
  std::uint64_t done = 0;
  std::uint64_t refused = 0;
};

/// The accounts of one journal. Thread safety: one thread, outside of the System.
class Bank {
 public:
  Bank(troupe::System& system, troupe::persistence::Journal journal);

  // Each throws Refusal with the reason.
  Balance open(const std::string& number, const std::string& amount);
  Balance deposit(const std::string& number, const std::string& amount, const std::string& source);
  Balance withdraw(const std::string& number, const std::string& amount,
                   const std::string& destination);
  Balance close(const std::string& number, const std::string& reason);
  Balance balance(const std::string& number);
  /// A line for each event: version, name, data, time (UTC).
  void history(const std::string& number, std::ostream& out);
  /// The balance as of a version or a time; `version` 0 means before the first event.
  Balance as_of(const std::string& number, const troupe::persistence::AsOf& as_of);
  /// What lies between two versions: both balances, what they differ by, and the events.
  void diff(const std::string& number, troupe::persistence::Version from,
            troupe::persistence::Version to, std::ostream& out);
  /// Reads the whole journal: false where something is wrong, which is told.
  bool verify(std::ostream& out);
  /// Carries out a command for each line: `deposit ID AMOUNT SOURCE` and so on, several at a time,
  /// those of one account in their order. What is refused is told by `complain`, with its line.
  ScriptResult run(std::istream& script, std::optional<std::uint64_t> bytes,
                   const std::function<void(const samples::Progress&)>& progress,
                   const std::function<void(const std::string&)>& complain);

 private:
  void list(const std::string& number, troupe::persistence::Version after,
            troupe::persistence::Version up_to, std::ostream& out) const;
  [[nodiscard]] troupe::Ref<Account> account(const std::string& number);
  [[nodiscard]] troupe::Ask<Balance> ask(const std::string& line);

  troupe::System& system_;
  const troupe::persistence::Journal journal_;
  std::unordered_map<std::string, troupe::Ref<Account>> accounts_;
};

/// "2026-11-30T12:00:00.000Z".
[[nodiscard]] std::string time_in_words(troupe::WallTime time);
/// Of such a text, with or without the fraction. Throws Refusal.
[[nodiscard]] troupe::WallTime time_of(const std::string& text);

}  // namespace bank_account
