#!/usr/bin/env python3
"""The bank_account program from outside: the article's history, refusals, a script, kill -9. Usage: bank_account_test.py BUILD_DIR"""
import os
import random
import signal
import subprocess
import sys
import tempfile

PROGRAM = os.path.join(sys.argv[1], "samples/bank_account/bank_account")
OPERATIONS = int(os.environ.get("TROUPE_OPERATIONS", "20000"))
SEED = int(os.environ.get("TROUPE_SEED", "7"))


def expect(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what} (TROUPE_SEED={SEED})")
    print("ok: " + what)


def run(journal, *args):
    return subprocess.run([PROGRAM, "--journal", "sqlite:" + journal, *args], capture_output=True, text=True, timeout=300)


def says(journal, *args):
    result = run(journal, *args)
    return result.stdout.strip() if result.returncode == 0 else f"rc {result.returncode}: {result.stderr.strip()}"


def cents(text):
    whole, rest = text.split(" ")[0].split(".")
    return int(whole) * 100 + int(rest)


def history_of(journal, account):
    """(version, name, change in cents, time) of each event."""
    for line in says(journal, "history", account).splitlines():
        version, name, data, time = line.split("\t")
        amount = int(data.split(" = ")[1].split(",")[0].rstrip("}")) if "cents" in data else 0
        yield int(version), name, -amount if name == "MoneyWithdrawn" else amount, time


def articles_history(folder):
    journal = os.path.join(folder, "article.db")
    expect(says(journal, "open", "acc-1", "--initial", "100.00") == "100.00 (version 1)", "an account is opened with 100")
    expect(says(journal, "deposit", "acc-1", "500.00", "salary") == "600.00 (version 2)", "500 are paid in")
    expect(says(journal, "withdraw", "acc-1", "200.00", "rent") == "400.00 (version 3)", "200 are paid out")
    expect(says(journal, "deposit", "acc-1", "50.00", "refund") == "450.00 (version 4)", "50 are paid in: 450, version 4")
    expect(says(journal, "balance", "acc-1") == "450.00 (version 4)", "and so it is in a new process")
    events = list(history_of(journal, "acc-1"))
    expect([e[1] for e in events] == ["AccountCreated", "MoneyDeposited", "MoneyWithdrawn", "MoneyDeposited"], "the audit trail")
    expect([e[0] for e in events if e[0] > 2] == [3, 4], "the events after version 2 are the third and the fourth")
    expect(says(journal, "as-of", "acc-1", "--version", "2") == "600.00 (version 2)", "as of version 2")
    expect(says(journal, "as-of", "acc-1", "--version", "99") == "450.00 (version 4)", "as of a version that is yet to come")
    expect(says(journal, "as-of", "acc-1", "--time", "2000-01-01T00:00:00Z") == "rc 1: bank_account: there was no such account then",
           "as of long ago")
    expect(says(journal, "as-of", "acc-1", "--time", "2100-01-01T00:00:00.5Z") == "450.00 (version 4)", "as of a time to come")
    between = says(journal, "diff", "acc-1", "2", "4").splitlines()
    expect(between[0] == "600.00 -> 450.00 (-150.00)" and [line.split("\t")[:2] for line in between[1:]] ==
           [["3", "MoneyWithdrawn"], ["4", "MoneyDeposited"]], "the difference between two versions, to the cent")
    expect(says(journal, "diff", "acc-1", "0", "2").splitlines()[0] == "0.00 -> 600.00 (+600.00)", "from nothing")
    expect(says(journal, "verify") == "4 events of 1 accounts, 0 findings", "the journal is as it should be")
    for args, why in ((("diff", "acc-1", "2", "5"), "there is no version 5"), (("diff", "acc-1", "4", "2"), "the larger one"),
                      (("withdraw", "acc-1", "450.01", "car"), "insufficient funds: the balance is 450.00"), (("open", "acc-1"), "there already"),
                      (("deposit", "acc-2", "1", "x"), "no such account"), (("deposit", "acc-1", "0", "x"), "more than nothing"),
                      (("deposit", "acc-1", "1.001", "x"), "two decimals"), (("deposit", "acc-1", "-1", "x"), "more than nothing"),
                      (("close", "acc-1", "x"), "only an empty account"), (("balance", ""), "names no stream"), (("history", "acc-9"), "no such account"),
                      (("as-of", "acc-1", "--time", "noon"), "is not like"), (("run", "/no/such/file"), "can't read")):
        result = run(journal, *args)
        expect(result.returncode == 1 and why in result.stderr, f"refused: {' '.join(args)}: {result.stderr.strip()}")
    expect(says(journal, "withdraw", "acc-1", "450", "all") == "0.00 (version 5)", "the refused changed nothing")
    expect(says(journal, "close", "acc-1", "moved away") == "0.00 (version 6)", "it is closed")
    expect("the account is closed" in run(journal, "deposit", "acc-1", "1", "x").stderr, "and takes nothing any more")
    expect(run(journal, "nonsense").returncode == 2 and run(journal).returncode == 2, "wrong use: exit code 2")
    expect("--journal is sqlite:FILE" in subprocess.run([PROGRAM, "--journal", "bank.db", "balance", "a"], capture_output=True, text=True).stderr,
           "another kind of journal is refused")


def write_script(path, chance, operations):
    """Deposits and withdrawals of 50 accounts; returns what they come to, and how many are refused."""
    balances, refused = {}, 0
    with open(path, "w", encoding="utf-8") as script:
        for i in range(50):
            balances[f"a-{i}"] = 1000
            script.write(f"open a-{i} 10.00\n")
        for _ in range(operations):
            account, amount = f"a-{chance.randrange(50)}", chance.randrange(1, 5000)
            if chance.random() < 0.5:
                script.write(f"deposit {account} {amount // 100}.{amount % 100:02} pay day\n")
                balances[account] += amount
            else:
                script.write(f"withdraw {account} {amount // 100}.{amount % 100:02} the rent\n")
                if amount > balances[account]:
                    refused += 1
                else:
                    balances[account] -= amount
    return balances, refused


def script(folder):
    journal, path, chance = os.path.join(folder, "script.db"), os.path.join(folder, "script"), random.Random(SEED)
    balances, refused = write_script(path, chance, OPERATIONS)
    result = run(journal, "run", path)
    expect(result.stdout == f"{OPERATIONS + 50 - refused} done, {refused} refused\n" and result.returncode == 1,
           f"a script of {OPERATIONS} operations: {result.stdout.strip()}")
    for account in chance.sample(sorted(balances), 10):
        expect(cents(says(journal, "balance", account)) == balances[account], f"{account} is right to the cent")
    account = chance.choice(sorted(balances))
    events = list(history_of(journal, account))
    for version in chance.sample(range(1, len(events) + 1), 5):
        expect(cents(says(journal, "as-of", account, "--version", str(version))) == sum(e[2] for e in events[:version]),
               f"{account} as of version {version} of {len(events)}")


def killed(folder):
    journal, path, chance = os.path.join(folder, "killed.db"), os.path.join(folder, "script"), random.Random(SEED)
    write_script(path, chance, OPERATIONS)
    with subprocess.Popen([PROGRAM, "--journal", "sqlite:" + journal, "run", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        wanted = chance.randrange(100_000, 600_000)
        while program.poll() is None and not (os.path.exists(journal + "-wal") and os.path.getsize(journal + "-wal") > wanted):
            pass
        program.send_signal(signal.SIGKILL)
    events = list(history_of(journal, "a-1"))
    expect([e[0] for e in events] == list(range(1, len(events) + 1)), f"after kill -9 a-1 has {len(events)} events without a gap")
    before = cents(says(journal, "balance", "a-1"))
    expect(before == sum(e[2] for e in events), "its balance is what they add up to")
    expect(cents(says(journal, "deposit", "a-1", "1.00", "x")) == before + 100, "and it carries on")


with tempfile.TemporaryDirectory() as directory:
    articles_history(directory)
    script(directory)
    killed(directory)
