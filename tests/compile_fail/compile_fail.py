#!/usr/bin/env python3
"""Compiles each wrong use, and checks what the compiler says: one error, at the marked line of the user's own file, whose
text names the reason (DESIGN.md D13). Usage: compile_fail.py COMPILER ROOT

A case is a block `// CASE name: reason` of wrong_uses.cpp, or of another file, whose prelude stands behind that one's; the
wrong line ends with `// HERE`."""
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

compiler, root = sys.argv[1], sys.argv[2]
here = os.path.dirname(os.path.abspath(__file__))
flags = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-fdiagnostics-color=never"]
for d in ("runtime/include", "supervision/include", "codec/include", "persistence/include", "remoting/include"):
    flags += ["-I", os.path.join(root, d)]


def cases_of(name, before):
    with open(os.path.join(here, name), encoding="utf-8") as f:
        prelude, *blocks = re.split(r"^// CASE ", f.read(), flags=re.M)
    return [(before + prelude, block) for block in blocks]


cases = cases_of("wrong_uses.cpp", "")
cases += cases_of("wrong_uses_of_events.cpp", cases[0][0])


def check(case):
    prelude, block = case
    title, code = block.split("\n", 1)
    name, reason = (s.strip() for s in title.split(":", 1))
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "use.cpp")
        whole = prelude + code
        with open(source, "w", encoding="utf-8") as f:
            f.write(whole)
        result = subprocess.run([compiler, *flags, source], capture_output=True, text=True)
    wanted = [n for n, line in enumerate(whole.split("\n"), 1) if line.rstrip().endswith("// HERE")]
    if reason == "compiles":
        return name, None if result.returncode == 0 else "must compile:\n" + result.stderr[:1500]
    errors = re.findall(r"^(\S+?):(\d+):\d+: (?:fatal )?error: ", result.stderr, re.M)
    problems = []
    if len(errors) != 1:
        problems.append(f"{len(errors)} errors instead of one")
    elif not (errors[0][0].endswith("use.cpp") and int(errors[0][1]) in wanted):
        problems.append(f"the error is at {errors[0]}, not at the marked line {wanted}")
    if not re.search(r"\b" + re.escape(reason) + r"\b", result.stderr):
        problems.append(f"the reason {reason} is not named")
    return name, None if not problems else "; ".join(problems) + "\n" + result.stderr[:1500]


with open(os.path.join(root, "runtime/include/troupe/runtime/why.hpp"), encoding="utf-8") as f:
    reasons = set(re.findall(r"^struct (\w+);", f.read(), re.M)) - {"wants", "returns"}
untested = reasons - {b.split("\n", 1)[0].split(":", 1)[1].strip() for _, b in cases}
failed = len(untested)
for reason in sorted(untested):
    print(f"FAILED: no wrong use shows {reason}")
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for name, problem in pool.map(check, cases):
        if problem:
            failed += 1
            print(f"FAILED: {name}: {problem}")
print(f"{len(cases) - failed + len(untested)} passed, {failed} failed")
sys.exit(1 if failed else 0)
