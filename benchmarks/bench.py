#!/usr/bin/env python3
"""Measures Troupe beside the floor, CAF and Erlang: fresh processes, interleaved, medians. Every figure: less is better.
Each row says which of its gates it meets. One whose spread straddles CAF's median is repeated with 15 runs. `remote`,
`compile`, `idle`, `orders` and `codec` as the first argument measure two nodes beside Asio and Erlang's distribution, the compile
budgets, an idle system, the order-processing sample against its baseline, and encoding against Cap'n Proto's own."""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from journal import measure_journal
from remote import measure_remote
from rows import end_rows, measure_rows, run_once, summary

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


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


def measure_codec(args):
    """Encoding and decoding, and what each is allowed: a multiple of Cap'n Proto's own."""
    values = {}
    for _ in range(args.runs):
        for name, value in run_once([os.path.join(args.build, "benchmarks/codec_bench")]).items():
            values.setdefault(name, []).append(value)
    medians = {name: statistics.median(v) for name, v in values.items()}
    for name, v in values.items():
        s = summary(v)
        print(f"{name:16}{s['median']:.1f} ns [{s['min']:.1f}-{s['max']:.1f}]")
    ratio = medians["encode"] / medians["encode_builder"]
    print(f"    <= 1.2x the builder's time: {'met' if ratio <= 1.2 else 'missed'}: {ratio:.2f}x")
    print(f"    decoding: {medians['decode'] / medians['decode_reader']:.2f}x the reader's time")


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
    parser.add_argument("what", nargs="?", default="rows", choices=["rows", "compile", "remote", "idle", "orders", "codec", "journal"])
    parser.add_argument("--only", help="workloads or rows, separated by commas")
    parser.add_argument("--workers", type=int, help="1 or 2; default: both. Some rows have only one of them")
    parser.add_argument("--peers", default="floor,caf,otp", help="of floor, caf, otp")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.what == "idle":
        subprocess.run([os.path.join(args.build, "benchmarks/idle_bench")], check=True)
    elif args.what in ("rows", "remote"):
        end_rows((measure_rows if args.what == "rows" else measure_remote)(args), args.json)
    else:
        {"compile": measure_compile, "orders": measure_orders, "codec": measure_codec,
         "journal": measure_journal}[args.what](args)


if __name__ == "__main__":
    main()
