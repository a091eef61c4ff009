"""Runs the workloads: fresh processes, interleaved, medians, and the gates of each row."""
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import namedtuple

from gates import judge, verdict_text

HERE = os.path.dirname(os.path.abspath(__file__))
ALL = ("floor", "caf", "otp")
# rows: the rows of its results, with their units. peers: who has it besides Troupe. repeated: with more runs when it is not
# clear who is ahead.
Workload = namedtuple("Workload", "rows peers workers repeated", defaults=(("caf", "otp"), (1, 2), True))
WORKLOADS = {
    "pingpong": Workload({"pingpong": "ns/msg"}, ALL),
    "pairs": Workload({"pairs": "ns/msg"}, ALL),
    "fanin": Workload({"fanin": "ns/msg"}, ALL),
    "ring": Workload({"ring": "ns/hop"}, ALL),
    "spawn": Workload({"spawn": "ns/actor", "spawn_bytes": "B/actor"}, ALL),
    "spawn_named": Workload({"spawn_bytes_named": "B/actor"}, (), (1,)),
    "coroutines": Workload({"bytes_coroutine": "B/actor"}, (), (1,)),
    "fibers": Workload({"bytes_fiber": "B/actor"}, (), (1,)),
    "processes": Workload({"bytes_process": "B/actor"}, (), (1,)),
    "stop": Workload({"stop": "ns/actor"}, ALL),
    "fjthroughput": Workload({"fjthroughput": "ns/msg"}),
    "fjcreate": Workload({"fjcreate": "ns/actor"}),
    "fib": Workload({"fib": "ms"}),
    "counting": Workload({"counting": "ns/msg"}),
    "big": Workload({"big": "ns/msg"}),
    "banking": Workload({"banking": "ns/transaction"}),
    "chameneos": Workload({"chameneos": "ns/meeting"}),
    "radix": Workload({"radix": "ns/msg"}),
    "ask1": Workload({"ask1": "ns/ask"}),
    "ask100": Workload({"ask100": "ns/ask"}),
    "outside_ask": Workload({"outside_ask": "ns/ask"}, ("floor",)),
    "restart_1k": Workload({"restart_1k": "ns/restart"}, repeated=False),
    "restart_100k": Workload({"restart_100k": "ns/restart"}, repeated=False),
    "timers": Workload({"timers_create": "ns/timer", "timers_bytes": "B/timer", "timers_cpu": "ns/timer"}, ALL, (2,), False),
    "load50k": Workload({"load50k_p50": "us", "load50k_p99": "us", "load50k_p999": "us"}, workers=(2,), repeated=False),
    "load200k": Workload({"load200k_p50": "us", "load200k_p99": "us", "load200k_p999": "us"}, workers=(2,), repeated=False),
}


def command(peer, workload, workers, build, erlang):
    if peer == "otp":
        return ["erl", "+S", f"{workers}:{workers}", "+P", "4000000", "-noshell", "-pa", erlang, "-run", "otp_bench", "main", workload]
    return [os.path.join(build, "benchmarks", f"{peer}_bench"), workload, str(workers)]


def run_once(argv, environment=None):
    out = subprocess.run(argv, capture_output=True, text=True, timeout=300, env=environment)
    results = {w[1]: float(w[2]) for w in (line.split() for line in out.stdout.splitlines()) if len(w) == 3 and w[0] == "RESULT"}
    if not results:
        sys.exit(f"bench: {' '.join(argv)} gave no result (exit code {out.returncode}): {out.stderr[-500:]}")
    return results


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "runs": len(values)}


def chosen(only):
    """The workloads with these names, or with rows of these names; all if there are none."""
    names = only.split(",") if only else list(WORKLOADS)
    known = {row: name for name, w in WORKLOADS.items() for row in w.rows} | {name: name for name in WORKLOADS}
    for name in names:
        if name not in known:
            sys.exit(f"bench: there is no workload {name}; there are {', '.join(known)}")
    return [w for w in WORKLOADS if w in {known[name] for name in names}]


def measure_rows(args):
    peers = [p for p in args.peers.split(",") if p]
    if "caf" in peers and not os.path.exists(os.path.join(args.build, "benchmarks/caf_bench")):
        sys.exit("bench: caf_bench was not built: is libcaf-dev installed?")
    rows = []
    with tempfile.TemporaryDirectory() as erlang:
        if "otp" in peers:
            subprocess.run(["erlc", "-o", erlang, os.path.join(HERE, "peers/otp_bench.erl")], check=True)
        for workload in chosen(args.only):
            for workers in [n for n in WORKLOADS[workload].workers if args.workers in (None, n)]:
                programs = ["troupe"] + [p for p in peers if p in WORKLOADS[workload].peers]
                new = measure_row(programs, workload, workers, args, erlang)
                rows += new
                judge_rows(new, rows)
    return rows


def judge_rows(new, rows):
    """Prints new rows and their gates."""
    for row in new:
        print_row(row)
        for gate, excess in judge(row, rows):
            print(f"    {verdict_text(gate, excess)}", flush=True)


def end_rows(rows, path):
    if path:
        with open(path, "w", encoding="utf-8") as f:
            json.dump(rows, f, indent=1)
    print_summary(rows)


def measure_row(programs, workload, workers, args, erlang):
    values = {}
    runs = args.runs
    done = 0
    while done < runs:
        for peer in programs:  # A B C A B C ...: what disturbs one disturbs all
            subprocess.run(command("floor", "touch_memory", workers, args.build, erlang), check=True)
            for name, value in run_once(command(peer, workload, workers, args.build, erlang)).items():
                values.setdefault(name, {}).setdefault(peer, []).append(value)
        done += 1
        if done == runs == args.runs and runs < 15 and "caf" in programs and WORKLOADS[workload].repeated:
            ours, theirs = values[workload]["troupe"], values[workload]["caf"]
            if max(ours) >= min(theirs):
                runs = 15
    return [{"name": name, "workers": workers, "unit": WORKLOADS[workload].rows[name], "better": "less",
             "results": {peer: summary(v) for peer, v in by_peer.items()}} for name, by_peer in values.items()]


def print_row(row):
    ours = row["results"]["troupe"]["median"]
    text = f"{row['name']:18}{row['workers']} workers  "
    for peer, r in row["results"].items():
        ratio = "" if peer == "troupe" else f" = {r['median'] / ours:.2f}x ours"
        text += f"{peer} {r['median']:.1f} [{r['min']:.1f}-{r['max']:.1f}]{ratio}   "
    print(text + row["unit"], flush=True)


def print_summary(rows):
    behind = [f"{r['name']} on {r['workers']}" for r in rows
              if "caf" in r["results"] and r["results"]["caf"]["median"] < r["results"]["troupe"]["median"]]
    print("behind CAF: " + (", ".join(behind) or "nowhere"))
    verdicts = [(f"{r['name']} on {r['workers']}", *v) for r in rows for v in judge(r, rows)]
    missed = [f"{name} {verdict_text(gate, excess)}" for name, gate, excess in verdicts if excess > 1]
    print(f"gates: {len(verdicts) - len(missed)} met, {len(missed)} missed" + (": " + "; ".join(missed) if missed else ""))
