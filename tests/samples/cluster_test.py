#!/usr/bin/env python3
"""order_processing as real processes: a coordinator and the nodes its processors run on. Usage: cluster_test.py BUILD_DIR"""
import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import time

BUILD = sys.argv[1]
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../samples/order_processing")
PROGRAM = os.path.join(BUILD, "samples/order_processing/order_processing")
TROUPE = os.path.join(BUILD, "tools/troupe/troupe")
ORDERS = 4000
LINES = subprocess.run([os.path.join(BUILD, "samples/order_processing/make_orders"), str(ORDERS)], capture_output=True, text=True,
                       check=True).stdout.splitlines(keepends=True)


def expect(condition, what):
    if not condition:
        sys.exit("FAILED: " + what)
    print("ok: " + what, flush=True)


class Cluster:
    """Nodes on loopback that have a key file in common; those that are left are killed at the end."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.processes = []
        self.key = os.path.join(self.folder.name, "key")
        with open(os.open(self.key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as key:
            key.write(os.urandom(32))
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        self.folder.cleanup()

    def socket(self, name):
        return os.path.join(self.folder.name, name)

    def node(self, name):
        process = subprocess.Popen([PROGRAM, "node", "--name", name, "--key-file", self.key, "--admin", self.socket(name)],
                                   stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        process.name, process.address = name, process.stdout.readline().split()[-1]
        return process

    def coordinator(self, nodes, *options):
        process = subprocess.Popen([PROGRAM, "coordinator", "--nodes", ",".join(n.address for n in nodes), "--key-file", self.key,
                                    "--orders", "-", "--json", "--crash-rate", "0.01", *options],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def coordinator_of_a_terminal(self, nodes, *options):
        """It reads its orders from a terminal, which takes them from what is returned beside it."""
        theirs, ours = pty.openpty()
        process = subprocess.Popen([PROGRAM, "coordinator", "--nodes", ",".join(n.address for n in nodes), "--key-file", self.key,
                                    "--orders", "-", *options], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        os.close(theirs)
        return process, ours

    def has_processors(self, name):
        listed = subprocess.run([TROUPE, "node", "--socket", self.socket(name), "ps"], capture_output=True, text=True, timeout=30, check=True)
        return "OrderProcessor" in listed.stdout

    def await_processors(self, name, there=True):
        until = time.monotonic() + 60
        while self.has_processors(name) != there:
            if time.monotonic() > until:
                return False
            time.sleep(0.1)  # lint:allow(sleep) another process is asked again
        return True

    def await_no_processors(self, name):
        return self.await_processors(name, there=False)


def feed(coordinator, lines):
    coordinator.stdin.write("".join(lines))
    coordinator.stdin.flush()


def is_whole(summary):
    ends = sum(summary[o] for o in ("success", "rejected", "payment_failed", "out_of_stock", "error"))
    return summary["submitted"] == ends == ORDERS == summary["success"] and "violations" not in summary


demo = subprocess.run([os.path.join(SOURCE, "demo.sh"), BUILD, "--json"], capture_output=True, text=True, timeout=200)
summary = json.loads(demo.stdout)
expect(demo.returncode == 0 and summary["success"] == 18500 and summary["out_of_stock"] > 0 and summary["error"] == 0
       and summary["submitted"] == 20000, "the demo's cluster: every order has its outcome")
expect(all(p["node"] == "processors-2" for p in summary["processors"]) and "is lost" in demo.stderr,
       "a node was killed midway, and its processors went to the other")

with Cluster() as c:
    nodes = [c.node("processors-1"), c.node("processors-2"), c.node("processors-3")]
    for at, fate in ((1500, signal.SIGKILL), (2500, signal.SIGSTOP)):
        coordinator = c.coordinator(nodes)
        feed(coordinator, LINES[:at])
        victim = nodes.pop(0)
        expect(c.await_processors(victim.name), f"{victim.name} has processors")
        victim.send_signal(fate)
        out, err = coordinator.communicate("".join(LINES[at:]), timeout=120)
        expect(coordinator.returncode == 0 and is_whole(json.loads(out)),
               f"{fate.name} of a processors' node near order {at}: each order ends once")
        victim.send_signal(signal.SIGCONT)
    expect(c.await_no_processors("processors-2"), "one that was cut off, and comes back, has ended its processors")

    nodes = [c.node("processors-4"), nodes[0]]
    for fate, code in ((signal.SIGTERM, 3), (signal.SIGKILL, -signal.SIGKILL)):
        coordinator = c.coordinator(nodes)
        feed(coordinator, LINES[:3000])
        coordinator.send_signal(fate)
        coordinator.wait(timeout=60)  # with its input still open
        out, err = coordinator.communicate()
        expect(coordinator.returncode == code, f"{fate.name} of the coordinator: exit code {code}")
        if fate == signal.SIGTERM:
            summary = json.loads(out)
            unknown = summary["unknown"]
            expect(0 < len(unknown) <= 1024 and summary["ended"] + len(unknown) == summary["submitted"],
                   f"it says of which orders nobody knows: {len(unknown)} of {summary['submitted']}")
        expect(c.await_no_processors("processors-4") and c.await_no_processors("processors-3"), "its processors end with it")
    coordinator = c.coordinator(nodes, "--admin", c.socket("coordinator"))
    feed(coordinator, LINES[:1000])
    expect(c.await_processors("processors-4"), "a coordinator has its processors")
    subprocess.run([TROUPE, "node", "--socket", c.socket("coordinator"), "stop", "/orders"], check=True, timeout=30)
    coordinator.wait(timeout=60)  # with its input still open
    out, err = coordinator.communicate()
    summary = json.loads(out)
    expect(coordinator.returncode == 3 and summary["submitted"] <= 1000, "a coordinator that is stopped over its socket ends the run")

    pair = [c.coordinator(nodes), c.coordinator(nodes)]
    for coordinator in pair:
        feed(coordinator, LINES[:2000])
    for coordinator in pair:
        out, err = coordinator.communicate("".join(LINES[2000:]), timeout=120)
        expect(coordinator.returncode == 0 and is_whole(json.loads(out)) and "two nodes" not in err, "two coordinators of one machine are two")

    coordinator = c.coordinator(nodes)
    out, err = coordinator.communicate("".join(LINES), timeout=120)
    expect(coordinator.returncode == 0 and is_whole(json.loads(out)), "the next coordinator finds the nodes as if nothing had been")

    large = [json.dumps(dict(json.loads(line), order_id=f"large-{i}-" + "x" * 300_000)) + "\n" for i, line in enumerate(LINES[:128])]
    coordinator = c.coordinator(nodes)
    out, err = coordinator.communicate("".join(large), timeout=120)
    summary = json.loads(out)
    expect(coordinator.returncode == 0 and summary["success"] == len(large) and summary["error"] == 0,
           "orders that are more than the nodes' queues take at a time wait for room")

    codes = []
    for _ in range(20):
        coordinator, terminal = c.coordinator_of_a_terminal(nodes, "--processors", "200")
        os.write(terminal, "".join(LINES[:5]).encode())
        expect(c.await_processors("processors-4"), "it has processors")
        os.close(terminal)
        coordinator.communicate(timeout=60)
        codes.append(coordinator.returncode)
    expect(set(codes) <= {2}, f"orders that can't be read on end the run in order, among processors that are placed: {codes}")

    for node in nodes:
        node.send_signal(signal.SIGTERM)
        node.wait(timeout=30)
    coordinator = c.coordinator(nodes, "--patience", "0.5")
    out, err = coordinator.communicate("".join(LINES[:10]), timeout=60)
    summary = json.loads(out)
    expect(coordinator.returncode == 4 and summary["error"] == 10 and summary["charged"] == "0.00" and "no node can be reached" in err
           and "refused" in err and all(p["node"] == "none" for p in summary["processors"]),
           "without any node orders end as errors, nothing is charged, and it says why: exit code 4")
    for _ in range(10):
        coordinator = c.coordinator(nodes)
        coordinator.send_signal(signal.SIGTERM)
        coordinator.wait(timeout=60)
        expect(coordinator.returncode in (3, -signal.SIGTERM), "SIGTERM at the start ends it too, and is no Ctrl-C")
        coordinator.communicate()

    fifo = os.path.join(c.folder.name, "orders")
    os.mkfifo(fifo)
    waiting = subprocess.Popen([PROGRAM, "--orders", fifo], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    c.processes.append(waiting)
    time.sleep(0.3)  # lint:allow(sleep) it may be anywhere
    waiting.send_signal(signal.SIGTERM)
    waiting.wait(timeout=60)
    expect(waiting.returncode in (3, -signal.SIGTERM), "SIGTERM ends one that waits for its input to be there")
    waiting.communicate()
    reading = subprocess.Popen([PROGRAM, "--orders", fifo, "--json"], stdout=subprocess.PIPE, text=True)
    c.processes.append(reading)
    with open(fifo, "w") as orders:
        orders.write("".join(LINES[:100]))
    out, err = reading.communicate(timeout=60)
    expect(reading.returncode == 0 and json.loads(out)["success"] == 100, "orders come through a named pipe")

    for args, why in ((["node", "--name", "n"], "--tls"), (["node", "--key-file", c.key], "--name"),
                      (["coordinator", "--orders", "-", "--key-file", c.key], "--nodes"),
                      (["coordinator", "--orders", "-", "--nodes", "127.0.0.1:1"], "--tls"),
                      (["coordinator", "--orders", "-", "--key-file", c.key, "--nodes", "127.0.0.1:1,127.0.0.1:"], "host:port"),
                      *((["coordinator", "--orders", "-", "--key-file", c.key, "--nodes", where], "host:port")
                        for where in ("nowhere", "127.0.0.1:abc", "127.0.0.1:99999", "127.0.0.1:0", "127.0.0.1:-1", "a/b:1", "a b:1",
                                      "127.0.0.1:7001/orders", "troupe://127.0.0.1:7001", "x" * 300 + ":1")),
                      (["node", "--name", "n", "--tls", "/nowhere"], "/nowhere/n.key"),
                      (["node", "--name", "n", "--key-file", c.key, "--listen", "0.0.0.0:0"], "0.0.0.0")):
        result = subprocess.run([PROGRAM, *args], input="", capture_output=True, text=True, timeout=30)
        expect(result.returncode == 2 and why in result.stderr + result.stdout, "exit code 2, and what is wrong, for " + " ".join(args[:3]))
print("1 passed, 0 failed")
