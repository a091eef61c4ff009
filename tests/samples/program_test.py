#!/usr/bin/env python3
"""The order_processing program from outside: options, exit codes, interruption. Usage: program_test.py BUILD_DIR"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

BUILD = sys.argv[1]
PROGRAM = os.path.join(BUILD, "samples/order_processing/order_processing")
MAKE = os.path.join(BUILD, "samples/order_processing/make_orders")
DATA = os.path.join(os.path.dirname(__file__), "../../samples/order_processing/data")


def run(*args, stdin=None):
    return subprocess.run([PROGRAM, *args], input=stdin, capture_output=True, text=True, timeout=120)


def expect(condition, what):
    if not condition:
        sys.exit("FAILED: " + what)
    print("ok: " + what)


orders = subprocess.run([MAKE, "1000"], capture_output=True, text=True, check=True).stdout
result = run("--orders", "-", "--processors", "4", "--json", stdin=orders)
summary = json.loads(result.stdout)
expect(result.returncode == 0 and summary["success"] == 1000 and summary["revenue"] == "99990.00", "1,000 orders from standard input")
expect([p["orders_processed"] for p in summary["processors"]] == [250] * 4, "250 per processor")

for args in (["--orders", "/no/such/file"], ["--orders", "/tmp"], ["--orders", "/proc/self/mem"], ["--orders", "-", "--no-such-option"], [],
             ["--orders", "-", "--processors", "0"], ["--orders", "-", "--crash-rate", "2"], ["--orders", "-", "--stock", "/nope"]):
    result = run(*args, stdin="")
    expect(result.returncode == 2 and result.stderr.strip() + result.stdout.strip() != "", "exit code 2 and a message for " + repr(args))
expect(run("--help").returncode == 0, "--help")

demo = run("--orders", os.path.join(DATA, "demo_orders.jsonl"), "--stock", os.path.join(DATA, "demo_stock.json"),
           "--decline-rate", "0.05", "--crash-rate", "0.03", "--seed", "7", "--json")
summary = json.loads(demo.stdout)
expect(demo.returncode == 0 and summary["malformed"] > 0 and summary["payment_failed"] > 0 and summary["out_of_stock"] > 0
       and sum(p["restarts"] for p in summary["processors"]) > 0 and summary["error"] == 0, "the demo shows every kind of outcome")
expect("line 29: " in demo.stderr, "bad lines are reported by number")

expect("%" not in demo.stderr, "no progress bar when piped")
screen, terminal = os.openpty()
with tempfile.NamedTemporaryFile() as many:
    subprocess.run([MAKE, "3000"], stdout=many, check=True)
    subprocess.run([PROGRAM, "--orders", many.name], stdout=subprocess.DEVNULL, stderr=terminal, timeout=120, check=True)
drawn = os.read(screen, 65536).decode()
expect(" 68 %" in drawn and "#####" in drawn and drawn.rsplit("\r", 2)[1].strip() == "", "a progress bar on a terminal, taken away at the end")

child = subprocess.Popen([PROGRAM, "--orders", "-", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
child.stdin.write(orders)
child.stdin.flush()
time.sleep(0.5)  # lint:allow(sleep) the program waits for input; nothing tells when it has read the last line
child.send_signal(signal.SIGINT)
out, _ = child.communicate(timeout=30)
summary = json.loads(out)
expect(child.returncode == 130, "Ctrl-C exits with 130")
expect(summary["submitted"] == summary["success"] <= 1000, "orders under way were finished, and the summary printed")

child = subprocess.Popen([PROGRAM, "--orders", "-", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
time.sleep(0.5)  # lint:allow(sleep) the program waits for input
child.send_signal(signal.SIGTERM)
child.wait(timeout=30)
summary = json.loads(child.stdout.read())
expect(child.returncode == 3 and summary["unknown"] == [] and summary["submitted"] == 0,
       "SIGTERM while it waits for input kills the coordinator, and ends the run")
print("1 passed, 0 failed")
