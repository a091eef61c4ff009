#!/usr/bin/env python3
"""What `troupe schema check` says of changes to schemas. Usage: schema_check_test.py TROUPE"""
import os
import re
import subprocess
import sys
import tempfile

troupe = sys.argv[1]
here = os.path.dirname(os.path.abspath(__file__))
HEAD = '@0xc0b183d0eaf9a7c1;\nusing Troupe = import "/troupe/troupe.capnp";\n$Troupe.namespace("app");\n'


def check(old, new, *more):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("old.capnp", old), ("new.capnp", new)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(text)
        return subprocess.run([troupe, "schema", "check", "old.capnp", "new.capnp", *more], cwd=folder, capture_output=True, text=True)


def problems_of(case):
    code, rest = case.split("\n", 1)
    old, new, says = re.match(r"--- old\n(.*)--- new\n(.*)--- says\n(.*)", rest, re.S).groups()
    result = check(HEAD + old, HEAD + new)
    lines = result.stdout.splitlines()
    wanted = says.strip().split("\n")
    fits = result.returncode == int(code) and len(lines) == len(wanted) and all(w in l for w, l in zip(wanted, lines))
    return [] if fits else [f"wanted {code}:\n{says}   got {result.returncode}:\n{result.stdout}{result.stderr}"]


with open(os.path.join(here, "schema_changes.txt"), encoding="utf-8") as f:
    cases = re.split(r"^=== ", f.read(), flags=re.M)[1:]
problems = [p for case in cases for p in problems_of(case)]

broken = check(HEAD + "struct A {}\n", HEAD + "struct A {\n  id @0 :Txt;\n}\n")
if broken.returncode != 2 or "new.capnp:5: " not in broken.stderr or broken.stdout:
    problems.append(f"a file that is no schema: {broken.returncode} {broken.stdout}{broken.stderr}")
moved = check(HEAD + "struct A {}\n", HEAD.replace("c0b1", "c0b2") + "struct A {}\n")
if moved.returncode != 2 or "the file's id, @0xc0b283d0eaf9a7c1, was @0xc0b183d0eaf9a7c1" not in moved.stderr:
    problems.append(f"another file id: {moved.returncode} {moved.stderr}")
for wrong in ([], ["schema"], ["schema", "check"], ["schema", "check", "a", "b"], ["nonsense"]):
    result = subprocess.run([troupe, *wrong], capture_output=True, text=True)
    if result.returncode != 2:
        problems.append(f"{wrong}: exit code {result.returncode}")

for p in problems:
    print("FAILED:", p)
total = len(cases) + 7
print(f"{total - len(problems)} passed, {len(problems)} failed")
sys.exit(1 if problems else 0)
