#!/usr/bin/env python3
"""Order processing over networks of the kernel's: each node in a network namespace of its own, with TLS.
Usage: namespaces_test.py BUILD_DIR plain|cut|one_way|bad_network. Exit code 77: namespaces, or netem, are not to be had here."""
import json
import os
import subprocess
import sys
import tempfile
import time

BUILD, STORY = sys.argv[1:3]
PROGRAM = os.path.join(BUILD, "samples/order_processing/order_processing")
TROUPE = os.path.join(BUILD, "tools/troupe/troupe")
SKIPPED = 77
ORDERS = 4000
INSIDE = "TROUPE_INSIDE_NAMESPACE"


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIPPED)


def run(*command, check=True):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=check)


def expect(condition, what):
    if not condition:
        sys.exit("FAILED: " + what)
    print("ok: " + what, flush=True)


def go_inside():
    """Goes on as root of a user namespace, in a network of its own: nothing of it is seen outside, and all of it ends with this process."""
    if os.environ.get(INSIDE):
        return
    unshare = ["unshare", "-Urn"]
    try:
        possible = run(*unshare, "ip", "link", "add", "name", "here", "type", "veth", "peer", "name", "there", check=False)
    except FileNotFoundError as e:
        skip(f"there is no {e.filename}: install util-linux and iproute2")
    if possible.returncode != 0:
        skip("no network namespaces: " + possible.stderr.strip())
    os.execvpe(unshare[0], [*unshare, sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})


class Machine:
    """A node in a namespace of its own, at the end of a cable."""

    def __init__(self, name, number, folder):
        self.name, self.cable, self.folder = name, f"to-{number}", folder
        self.keeper = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.keeper.stdout.readline()  # the namespace is there
        run("ip", "link", "add", "name", self.cable, "type", "veth", "peer", "name", "home", "netns", str(self.keeper.pid))
        run("ip", "addr", "add", f"10.77.{number}.1/24", "dev", self.cable)
        run("ip", "link", "set", self.cable, "up")
        self.inside("ip", "addr", "add", f"10.77.{number}.2/24", "dev", "home")
        self.inside("ip", "link", "set", "home", "up")
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "route", "add", "default", "via", f"10.77.{number}.1")
        run(TROUPE, "cert", "issue", folder + "/pki", name)
        self.socket = os.path.join(folder, name)
        self.node = subprocess.Popen(["nsenter", "-t", str(self.keeper.pid), "-n", PROGRAM, "node", "--name", name, "--tls", folder + "/pki",
                                      "--listen", f"10.77.{number}.2:0", "--admin", self.socket], stdout=subprocess.PIPE, text=True)
        self.address = self.node.stdout.readline().split()[-1]

    def inside(self, *command, check=True):
        return run("nsenter", "-t", str(self.keeper.pid), "-n", *command, check=check)

    def has_processors(self):
        return "OrderProcessor" in run(TROUPE, "node", "--socket", self.socket, "ps").stdout

    def end(self):
        for process in (self.node, self.keeper):
            process.kill()
            process.wait()


def netem(machine, *how, leaving):
    """`leaving`: what the machine sends suffers, not what it gets."""
    command = ["tc", "qdisc", "add", "dev", "home" if leaving else machine.cable, "root", "netem", *how]
    done = machine.inside(*command, check=False) if leaving else run(*command, check=False)
    if done.returncode != 0:
        skip("no netem: " + done.stderr.strip())


def main():
    go_inside()
    run("ip", "link", "set", "lo", "up")
    with tempfile.TemporaryDirectory() as folder:
        run(TROUPE, "cert", "init", folder + "/pki", "--cluster", "orders")
        run(TROUPE, "cert", "issue", folder + "/pki", "coordinator")
        machines = []
        try:
            for number, name in enumerate(("processors-1", "processors-2"), 1):
                machines.append(Machine(name, number, folder))
            tell(folder, *machines)
        finally:
            for machine in machines:
                machine.end()
    print("1 passed, 0 failed")


def tell(folder, first, second):
    if STORY == "bad_network":
        for machine in (first, second):
            for leaving in (True, False):
                netem(machine, "delay", "2ms", "1ms", "loss", "1%", leaving=leaving)
    lines = run(os.path.join(BUILD, "samples/order_processing/make_orders"), str(ORDERS)).stdout.splitlines(keepends=True)
    coordinator = subprocess.Popen([PROGRAM, "coordinator", "--nodes", first.address + "," + second.address, "--tls", folder + "/pki", "--listen",
                                    "0.0.0.0:0", "--advertise", "10.77.1.1:0", "--orders", "-", "--json", "--processors", "16"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    coordinator.stdin.write("".join(lines[:2500]))
    coordinator.stdin.flush()
    if STORY == "cut":
        run("ip", "link", "set", first.cable, "down")
    elif STORY == "one_way":
        nobody = "02:00:00:00:00:99"  # frames that go there are lost without a word
        first.inside("ip", "neigh", "replace", "10.77.1.1", "lladdr", nobody, "dev", "home", "nud", "permanent")
    out, err = coordinator.communicate("".join(lines[2500:]), timeout=200)
    sys.stderr.write(err)
    summary = json.loads(out)
    expect(coordinator.returncode == 0 and summary["success"] == summary["submitted"] == ORDERS and summary["revenue"] == summary["charged"],
           "each order ended once")
    nodes = {p["node"] for p in summary["processors"]}
    if STORY not in ("cut", "one_way"):
        expect(nodes == {first.name, second.name}, "both nodes kept their processors")
        return
    expect(nodes == {second.name} and "is lost" in err, "the work of the machine that was cut off went to the other")
    until = time.monotonic() + 60
    while first.has_processors() and time.monotonic() < until:
        time.sleep(0.1)  # lint:allow(sleep) another process is asked again
    expect(not first.has_processors(), "and the one that was cut off has ended its processors")


main()
