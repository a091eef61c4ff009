#!/usr/bin/env python3
"""Switches on the seeded faults of mutants.toml one by one, and runs the test that must catch each: it has to pass without
the fault, and with it to come by the fault and fail (or hang, or crash).
Usage: mutants.py BUILD [NAME...]   runs them in a build with TROUPE_MUTANTS
       mutants.py --list            checks the list against the code and the tests only"""
import glob
import os
import re
import subprocess
import sys
import tempfile
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PER_AREA_MIN, TOTAL_MIN, HANGS_AFTER = 3, 30, 30


def load():
    """(area, name, promises, test binary, title) of each."""
    with open(os.path.join(HERE, "mutants.toml"), "rb") as f:
        areas = tomllib.load(f)
    for area, mutants in areas.items():
        for name, m in mutants.items():
            binary, title = m["caught_by"].split(": ", 1)
            yield area, name, m["breaks"].split(), binary, title


def in_code():
    files = [f for d in ("runtime", "supervision", "persistence", "remoting") for f in glob.glob(os.path.join(ROOT, d, "**/*.[ch]pp"), recursive=True)]
    for path in files:
        with open(path, encoding="utf-8") as f:
            yield from re.findall(r'\bmutant\(\s*"(\w+)"\)', f.read())


def titles():
    for path in glob.glob(os.path.join(ROOT, "tests/**/*_test.cpp"), recursive=True):
        with open(path, encoding="utf-8") as f:
            text = re.sub(r'"\s*\n\s*"', "", f.read())
        yield from re.findall(r'TEST_CASE\(\s*"((?:[^"\\]|\\.)*)"', text)


def problems(mutants):
    listed, coded, tests = [m[1] for m in mutants], list(in_code()), set(titles())
    yield from (f"{n} is in the code and not in mutants.toml" for n in sorted(set(coded) - set(listed)))
    yield from (f"{n} is in mutants.toml and not in the code" for n in sorted(set(listed) - set(coded)))
    yield from (f"{n} is in the code twice" for n in sorted(n for n in set(coded) if coded.count(n) > 1))
    yield from (f"{name}: there is no test \"{title}\"" for _, name, _, _, title in mutants if title not in tests)
    for area in {m[0] for m in mutants}:
        if sum(m[0] == area for m in mutants) < PER_AREA_MIN:
            yield f"area {area} has fewer than {PER_AREA_MIN}"
    if len(mutants) < TOTAL_MIN:
        yield f"there are fewer than {TOTAL_MIN}"


def run(build, binary, title, mutant, mark):
    """'passes', 'fails' or 'hangs'."""
    pattern = re.sub(r"([,\[\]*])", r"\\\1", title)
    env = dict(os.environ, TROUPE_MUTANT=mutant, TROUPE_MUTANT_REACHED=mark, TROUPE_SEEDS="25")
    try:
        result = subprocess.run([os.path.join(build, "tests", f"{binary}_tests"), pattern], env=env, timeout=HANGS_AFTER,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    except subprocess.TimeoutExpired:
        return "hangs"
    if "No test cases matched" in result.stdout:
        sys.exit(f"mutants: {binary}_tests has no test \"{title}\"")
    return "passes" if result.returncode == 0 else "fails"


def main():
    mutants = list(load())
    found = list(problems(mutants))
    for problem in found:
        print(f"mutants.toml: {problem}")
    if found or sys.argv[1:] == ["--list"]:
        print(f"{len(mutants)} mutants in {len({m[0] for m in mutants})} areas")
        sys.exit(1 if found else 0)
    build, only = sys.argv[1], sys.argv[2:]
    bad, sane, last = 0, {}, None
    for area, name, breaks, binary, title in mutants:
        if only and name not in only:
            continue
        if (binary, title) not in sane:
            sane[binary, title] = run(build, binary, title, "", "/dev/null")
        with tempfile.TemporaryDirectory() as folder:
            mark = os.path.join(folder, "reached")
            outcome = run(build, binary, title, name, mark)
            reached = os.path.exists(mark)
        if sane[binary, title] != "passes":
            verdict = f"ERROR: the test {sane[binary, title]} without it"
        elif not reached:
            verdict = "ERROR: no test reaches it"
        elif outcome == "passes":
            verdict = "SURVIVES"
        else:
            verdict = "killed" + (" (hangs)" if outcome == "hangs" else "")
        bad += not verdict.startswith("killed")
        if area != last:
            print(f"\n{area}")
            last = area
        print(f"  {name:34}{' '.join(breaks):9} {verdict:24} {binary}: {title[:70]}", flush=True)
    total = len(only) if only else len(mutants)
    print(f"\n{total - bad} of {total} killed")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
