#!/usr/bin/env python3
"""Measures Troupe beside the floor, CAF and Erlang: fresh processes, interleaved, medians. Every figure: less is better.
A row whose spread straddles CAF's median is repeated with 15 runs. `compile`, `idle` and `orders` as the first argument
measure the compile budgets, an idle system, and the order-processing sample against its baseline."""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
WORKLOADS = ["pingpong", "pairs", "fanin", "ring", "spawn"]
UNITS = {"pingpong": "ns/msg", "pairs": "ns/msg", "fanin": "ns/msg", "ring": "ns/hop", "spawn": "ns/actor", "spawn_bytes": "B/actor"}


def command(peer, workload, workers, build, erlang):
    if peer == "otp":
        return ["erl", "+S", f"{workers}:{workers}", "+P", "4000000", "-noshell", "-pa", erlang, "-run", "otp_bench", "main", workload]
    name = {"troupe": "troupe_bench", "floor": "floor_bench", "caf": "caf_bench"}[peer]
    return [os.path.join(build, "benchmarks", name), workload, str(workers)]


def run_once(argv):
    out = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    results = {w[1]: float(w[2]) for w in (line.split() for line in out.stdout.splitlines()) if len(w) == 3 and w[0] == "RESULT"}
    if not results:
        sys.exit(f"bench: {' '.join(argv)} gave no result (exit code {out.returncode}): {out.stderr[-500:]}")
    return results


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "runs": len(values)}


def measure_rows(args):
    peers = ["troupe"] + [p for p in args.peers.split(",") if p]
    if "caf" in peers and not os.path.exists(os.path.join(args.build, "benchmarks/caf_bench")):
        sys.exit("bench: caf_bench was not built: is libcaf-dev installed?")
    only = args.only.split(",") if args.only else WORKLOADS
    for name in only:
        if name not in UNITS:
            sys.exit(f"bench: there is no workload {name}; there are {', '.join(UNITS)}")
    rows = []
    with tempfile.TemporaryDirectory() as erlang:
        if "otp" in peers:
            subprocess.run(["erlc", "-o", erlang, os.path.join(HERE, "peers/otp_bench.erl")], check=True)
        for workload in [w for w in WORKLOADS if w in only or (w == "spawn" and "spawn_bytes" in only)]:
            for workers in ([args.workers] if args.workers else [1, 2]):
                rows += measure_row(peers, workload, workers, args, erlang)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(rows, f, indent=1)
    behind = [f"{r['name']} on {r['workers']}" for r in rows
              if "caf" in r["results"] and r["results"]["caf"]["median"] < r["results"]["troupe"]["median"]]
    print("behind CAF: " + (", ".join(behind) or "nowhere"))


def measure_row(peers, workload, workers, args, erlang):
    values = {}
    runs = args.runs
    done = 0
    while done < runs:
        for peer in peers:  # A B C A B C ...: what disturbs one disturbs all
            for name, value in run_once(command(peer, workload, workers, args.build, erlang)).items():
                values.setdefault(name, {}).setdefault(peer, []).append(value)
        done += 1
        if done == runs == args.runs and runs < 15 and "caf" in peers:
            ours, theirs = values[workload]["troupe"], values[workload]["caf"]
            if max(ours) >= min(theirs):
                runs = 15
    rows = []
    for name, by_peer in values.items():
        row = {"name": name, "workers": workers, "unit": UNITS[name], "better": "less",
               "results": {peer: summary(v) for peer, v in by_peer.items()}}
        rows.append(row)
        ours = row["results"]["troupe"]["median"]
        text = f"{name:12}{workers} workers  "
        for peer, r in row["results"].items():
            ratio = "" if peer == "troupe" else f" = {r['median'] / ours:.2f}x ours"
            text += f"{peer} {r['median']:.1f} [{r['min']:.1f}-{r['max']:.1f}]{ratio}   "
        print(text + row["unit"], flush=True)
    return rows


def peak_and_time(argv):
    begin = time.monotonic()
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"bench: {' '.join(argv)} exited with {child.returncode}")
    return time.monotonic() - begin, usage.ru_maxrss * 1024


def measure_orders(args):
    sample = os.path.join(args.build, "samples/order_processing")
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for count in (100_000, 1_000_000, 5_000_000):
            files[count] = os.path.join(folder, f"{count}.jsonl")
            with open(files[count], "w", encoding="utf-8") as f:
                subprocess.run([os.path.join(sample, "make_orders"), str(count)], stdout=f, check=True)
        million = files[1_000_000]
        programs = {"troupe": [os.path.join(sample, "order_processing"), "--orders", million, "--json"],
                    "loop": [os.path.join(sample, "order_baseline"), million],
                    "parse": [os.path.join(sample, "order_baseline"), million, "parse"]}
        times = {name: [] for name in programs}
        for _ in range(args.runs):
            for name, argv in programs.items():
                times[name].append(peak_and_time(argv)[0])
        for name, values in times.items():
            s = summary(values)
            print(f"1,000,000 orders, {name:7}{s['median']:.2f} s [{s['min']:.2f}-{s['max']:.2f}]  {1 / s['median']:.2f} M orders/s")
        print(f"ratio to the loop: {statistics.median(times['troupe']) / statistics.median(times['loop']):.2f}")
        peaks = {count: peak_and_time(programs["troupe"][:2] + [path, "--json"])[1] for count, path in files.items()}
        growth = (peaks[5_000_000] - peaks[100_000]) / 4_900_000
        print("peak resident: " + ", ".join(f"{c:,} orders {p / 1e6:.1f} MB" for c, p in peaks.items()) + f"; {growth:.1f} bytes an order")


STANDARD = "#include <atomic>\n#include <chrono>\n#include <compare>\n#include <functional>\n#include <memory>\n#include <optional>\n" \
           "#include <stdexcept>\n#include <stop_token>\n#include <string>\n#include <tuple>\n#include <utility>\n#include <vector>\n"


def actor_file(handlers):
    text = STANDARD + "#include <troupe/runtime/runtime.hpp>\nnamespace app {\n"
    names = [f"M{i}" for i in range(handlers)]
    text += "".join(f"struct {n} {{ int v; }};\n" for n in names)
    text += f"class A : public troupe::Actor<{', '.join(names)}> {{\n public:\n"
    text += "".join(f"  void receive(const {n}& m) {{ sum += m.v; }}\n" for n in names) + "  int sum = 0;\n};\n}\n"
    text += "void use(troupe::System& s) {\n  auto a = s.spawn<app::A>();\n" + "".join(f"  a.tell(app::{n}{{1}});\n" for n in names) + "}\n"
    return text


def measure_compile(args):
    cases = {"standard headers": STANDARD, "1 handler": actor_file(1), "64 handlers, all sent": actor_file(64)}
    flags = ["-std=c++20", "-O0", "-c", "-o", "/dev/null", "-I", os.path.join(ROOT, "runtime/include"), "-x", "c++"]
    for compiler in [c for c in ("g++", "clang++-19") if shutil.which(c)]:
        with tempfile.TemporaryDirectory() as folder:
            times, peaks = {n: [] for n in cases}, {}
            for _ in range(args.runs):
                for name, text in cases.items():
                    path = os.path.join(folder, "file.cpp")
                    with open(path, "w", encoding="utf-8") as f:
                        f.write(text)
                    seconds, peaks[name] = peak_and_time([compiler, *flags, path])
                    times[name].append(seconds)
            base = statistics.median(times["standard headers"])
            for name, values in times.items():
                s = summary(values)
                print(f"{compiler:12}{name:24}{s['median']:.2f} s [{s['min']:.2f}-{s['max']:.2f}]  {s['median'] / base:.2f}x  {peaks[name] / 1e6:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", default="rows", choices=["rows", "compile", "idle", "orders"])
    parser.add_argument("--only", help="workloads, separated by commas")
    parser.add_argument("--workers", type=int, help="1 or 2; default: both")
    parser.add_argument("--peers", default="floor,caf,otp", help="of floor, caf, otp")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.what == "idle":
        subprocess.run([os.path.join(args.build, "benchmarks/idle_bench")], check=True)
    else:
        {"rows": measure_rows, "compile": measure_compile, "orders": measure_orders}[args.what](args)


if __name__ == "__main__":
    main()
