#include "bank.hpp"

#include <ctime>
#include <deque>
#include <sstream>
#include <utility>

#include <troupe/persistence/verify.hpp>

#include "common/money.hpp"

namespace bank_account {

using troupe::Ask;
using troupe::AskError;
using troupe::AskErrorKind;
using troupe::Result;
using troupe::WallTime;
using troupe::persistence::AsOf;
using troupe::persistence::StoredEvent;
using troupe::persistence::Version;

namespace {

constexpr std::size_t under_way_max = 4096;
constexpr std::uint64_t lines_between_reports = 1000;

std::int64_t cents_of(const std::string& amount) {
  std::string why;
  const auto cents = samples::parse_money(amount, why);
  if (!cents) throw Refusal("the amount " + why);
  return *cents;
}

Balance value_of(const Result<Balance, AskError>& answer) {
  if (answer) return *answer;
  if (answer.error().kind == AskErrorKind::refused) throw Refusal(answer.error().what);
  throw Refusal("the command failed, and may have been carried out: " + answer.error().what);
}

}  // namespace

Bank::Bank(troupe::System& system, troupe::persistence::Journal journal)
    : system_(system), journal_(std::move(journal)) {}

troupe::Ref<Account> Bank::account(const std::string& number) {
  const auto found = accounts_.find(number);
  if (found != accounts_.end()) return found->second;
  try {
    return accounts_.emplace(number, system_.spawn<Account>(number)).first->second;
  } catch (const troupe::UsageError& e) {
    throw Refusal(e.what());
  }
}

Balance Bank::open(const std::string& number, const std::string& amount) {
  return value_of(account(number).ask(Open{cents_of(amount)}).try_await());
}
Balance Bank::deposit(const std::string& number, const std::string& amount,
                      const std::string& source) {
  return value_of(account(number).ask(Deposit{cents_of(amount), source}).try_await());
}
Balance Bank::withdraw(const std::string& number, const std::string& amount,
                       const std::string& destination) {
  return value_of(account(number).ask(Withdraw{cents_of(amount), destination}).try_await());
}
Balance Bank::close(const std::string& number, const std::string& reason) {
  return value_of(account(number).ask(Close{reason}).try_await());
}
Balance Bank::balance(const std::string& number) {
  return value_of(account(number).ask(GetBalance{}).try_await());
}

void Bank::history(const std::string& number, std::ostream& out) {
  if (journal_.head(stream_of(number)).await() == 0) throw Refusal("there is no such account");
  list(number, 0, troupe::persistence::any_version, out);
}

void Bank::list(const std::string& number, Version after, Version up_to, std::ostream& out) const {
  for_each_event(journal_, stream_of(number), after, [&](const StoredEvent& e) {
    if (e.version > up_to) return false;
    const std::string name = e.event.type_name.substr(e.event.type_name.rfind(':') + 1);
    std::string data = troupe::persistence::in_words<AccountState>(e.event);
    if (data.rfind(name, 0) == 0) data.erase(0, name.size());
    out << e.version << '\t' << name << '\t' << data << '\t' << time_in_words(e.recorded_at)
        << '\n';
    return true;
  });
}

Balance Bank::as_of(const std::string& number, const AsOf& as_of) {
  const auto at = troupe::persistence::state_at<AccountState>(journal_, stream_of(number), as_of);
  if (!at.state.is_created) throw Refusal("there was no such account then");
  return {at.state.cents, at.version};
}

void Bank::diff(const std::string& number, Version from, Version to, std::ostream& out) {
  if (from > to) throw Refusal("the first version is the larger one");
  const auto at = [&](Version version) {
    const auto then = troupe::persistence::state_at<AccountState>(journal_, stream_of(number),
                                                                  {.version = version});
    if (then.version != version) throw Refusal("there is no version " + std::to_string(version));
    return then.state.cents;
  };
  const std::int64_t before = at(from);
  const std::int64_t after = at(to);
  out << samples::format_money(before) << " -> " << samples::format_money(after) << " ("
      << (after < before ? "" : "+") << samples::format_money(after - before) << ")\n";
  list(number, from, to, out);
}

bool Bank::verify(std::ostream& out) {
  const auto verified = troupe::persistence::verify(journal_);
  for (const std::string& finding : verified.findings) out << finding << '\n';
  out << verified.events << " events of " << verified.streams << " accounts, "
      << verified.findings.size() << " findings\n";
  return verified.findings.empty();
}

// ---- a script

Ask<Balance> Bank::ask(const std::string& line) {
  std::istringstream words(line);
  std::string command;
  std::string number;
  std::string third;
  std::string rest;
  words >> command >> number;
  if (number.empty()) throw Refusal("a line is: COMMAND ID ...");
  if (command == "open") {
    words >> third;
    return account(number).ask(Open{third.empty() ? 0 : cents_of(third)}, troupe::no_timeout);
  }
  if (command == "close") {
    std::getline(words >> std::ws, rest);
    return account(number).ask(Close{rest}, troupe::no_timeout);
  }
  words >> third;
  std::getline(words >> std::ws, rest);
  if (command == "deposit")
    return account(number).ask(Deposit{cents_of(third), rest}, troupe::no_timeout);
  if (command == "withdraw")
    return account(number).ask(Withdraw{cents_of(third), rest}, troupe::no_timeout);
  throw Refusal("there is no command \"" + command + "\": open, deposit, withdraw, close");
}

ScriptResult Bank::run(std::istream& script, std::optional<std::uint64_t> bytes,
                       const std::function<void(const samples::Progress&)>& progress,
                       const std::function<void(const std::string&)>& complain) {
  ScriptResult result;
  samples::Progress read{0, 0, bytes};
  std::deque<std::pair<std::uint64_t, Ask<Balance>>> under_way;
  const auto refused = [&](std::uint64_t line, const std::string& why) {
    ++result.refused;
    complain("line " + std::to_string(line) + ": " + why);
  };
  const auto take_first = [&] {
    auto [line, answer] = std::move(under_way.front());
    under_way.pop_front();
    try {
      value_of(answer.try_await());
      ++result.done;
    } catch (const Refusal& e) {
      refused(line, e.what());
    }
  };
  for (std::string line; std::getline(script, line);) {
    read.bytes += line.size() + 1;
    if (++read.lines % lines_between_reports == 0) progress(read);
    if (line.find_first_not_of(" \t\r") == std::string::npos || line[0] == '#') continue;
    try {
      under_way.emplace_back(read.lines, ask(line));
    } catch (const Refusal& e) {
      refused(read.lines, e.what());
    }
    if (under_way.size() >= under_way_max) take_first();
  }
  while (!under_way.empty()) take_first();
  return result;
}

// ---- times

std::string time_in_words(WallTime time) {
  const auto since = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(since - seconds).count();
  const std::time_t whole = seconds.count();
  std::tm parts{};
  gmtime_r(&whole, &parts);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  const std::string fraction = std::to_string(1000 + milliseconds).substr(1);
  return std::string(text, size) + "." + fraction + "Z";
}

WallTime time_of(const std::string& text) {
  std::tm parts{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  troupe::Duration fraction{};
  if (rest != nullptr && *rest == '.') {
    troupe::Duration digit = std::chrono::milliseconds(100);
    for (++rest; *rest >= '0' && *rest <= '9'; ++rest, digit /= 10)
      fraction += digit * (*rest - '0');
  }
  if (rest == nullptr || std::string_view(rest) != "Z")
    throw Refusal("the time \"" + text + "\" is not like 2026-11-30T12:00:00Z");
  return WallTime(std::chrono::seconds(timegm(&parts)) + fraction);
}

}  // namespace bank_account
