#!/usr/bin/env python3
"""The counted gate: what one operation of each path of path_counts costs, beside what baseline.json allows. Fails on a growth
of more than 3 % of its instructions, or on one locked instruction or allocation more. Callgrind counts, so the figures don't
depend on the machine's load: from run to run they differ by hundredths of a per cent. Another compiler than the baseline's
makes other instructions: then these are shown, and don't fail."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from callgrind import Counts, count, profile

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "baseline.json")
OPERATIONS = 4096  # half of what path_counts can do
INSTRUCTIONS_GROWTH_MAX = 0.03
# Of locked instructions and allocations, at which they grew: below it are those of whole batches or turns.
ONE_MORE_MIN = 0.05
RAISE = "./dev bench --gate --update"


def measure(program, path):
    """Per operation: two runs differ by OPERATIONS of them, so what is before and after is in no figure."""
    with tempfile.TemporaryDirectory() as folder:
        once, twice = (profile([program, path, str(n)], "end_counting", folder) for n in (OPERATIONS, 2 * OPERATIONS))
    twice.subtract(once)
    return Counts(*(round(n / OPERATIONS, 2) for n in count(twice)))


def measure_all(program):
    compiler, *paths = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = pool.map(lambda path: measure(program, path), paths)
        return {"compiler": compiler, "paths": {path: c._asdict() for path, c in zip(paths, counts)}}


def changes(old, new):
    """What of a path has clearly changed: each name, and whether it grew."""
    for name in Counts._fields:
        allowed = INSTRUCTIONS_GROWTH_MAX * old[name] if name == "instructions" else ONE_MORE_MIN
        if abs(new[name] - old[name]) > allowed:
            yield name, new[name] > old[name]


def line(path, old, new):
    percent = (new["instructions"] / old["instructions"] - 1) * 100
    return (f"{path:10} instructions {old['instructions']:8.2f} -> {new['instructions']:8.2f} ({percent:+6.2f} %)"
            f"  locked {old['locked']:5.2f} -> {new['locked']:5.2f}  allocations {old['allocations']:4.2f} -> {new['allocations']:4.2f}")


def compare(baseline, now):
    """The report's lines, and whether the gate is passed."""
    report, passed = [], True
    same_compiler = baseline["compiler"] == now["compiler"]
    if not same_compiler:
        report.append(f"the baseline is of {baseline['compiler']}, this is {now['compiler']}: instructions are only shown")
    for path in sorted(baseline["paths"].keys() ^ now["paths"].keys()):
        report.append(f"{path:10} is only in {'the baseline' if path in baseline['paths'] else 'the program'}: {RAISE}")
        passed = False
    for path in sorted(baseline["paths"].keys() & now["paths"].keys()):
        old, new = baseline["paths"][path], now["paths"][path]
        grown, cheaper = [], []
        for name, grew in changes(old, new):
            if same_compiler or name != "instructions":
                (grown if grew else cheaper).append(name)
        verdict = f"  GREW: {', '.join(grown)}" if grown else f"  cheaper: {RAISE}" if cheaper else ""
        report.append(line(path, old, new) + verdict)
        passed = passed and not grown
    return report, passed


def update(baseline, now):
    for path, new in now["paths"].items():
        print(line(path, baseline["paths"].get(path, new), new))
    lines = ",\n".join(f"  {json.dumps(path)}: {json.dumps(new)}" for path, new in now["paths"].items())
    with open(FILE, "w", encoding="utf-8") as f:
        f.write(f'{{\n "compiler": {json.dumps(now["compiler"])},\n "paths": {{\n{lines}\n }}\n}}\n')
    print("The body of the commit that changes the baseline gives these lines, and why.")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --gate", description=__doc__)
    parser.add_argument("program", help=argparse.SUPPRESS)
    parser.add_argument("--update", action="store_true", help="write what is counted to baseline.json")
    args = parser.parse_args()
    now = measure_all(args.program)
    baseline = {"compiler": now["compiler"], "paths": {}}
    if os.path.exists(FILE):
        with open(FILE, encoding="utf-8") as f:
            baseline = json.load(f)
    if args.update:
        update(baseline, now)
        return
    report, passed = compare(baseline, now)
    print("\n".join(report))
    if not passed:
        sys.exit("A path costs more than benchmarks/baseline.json allows. If that is what the change is worth, raise the "
                 f"baseline with {RAISE}, in a commit whose body gives old, new and why.")


if __name__ == "__main__":
    main()
