#!/usr/bin/env python3
"""Checks a Promela model with spin: every interleaving, no assertion violated, no invalid end state.
A line `// MUTANT s/old/new/` in the model is a seeded bug; with each of them spin must find an error.
Usage: check.py MODEL"""
import os
import re
import subprocess
import sys
import tempfile


def verify(text):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "model.pml"), "w", encoding="utf-8") as f:
            f.write(text)
        subprocess.run(["spin", "-a", "model.pml"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["gcc", "-O2", "-w", "-DNOREDUCE=0", "-DSAFETY", "-o", "pan", "pan.c"], cwd=folder, check=True)
        return subprocess.run(["./pan", "-m1000000"], cwd=folder, capture_output=True, text=True).stdout


def errors(report):
    return int(re.search(r"errors: (\d+)", report).group(1))


with open(sys.argv[1], encoding="utf-8") as f:
    model = f.read()
report = verify(model)
states = re.search(r"(\d+) states, stored", report).group(1)
failed = errors(report)
print(f"{os.path.basename(sys.argv[1])}: {failed} errors in {states} states")
if failed or "max search depth too small" in report or "Search not completed" in report:
    print(report)
    failed = 1
for mutant in re.findall(r"// MUTANT s/(.*?)/(.*?)/", model):
    body = model.replace(mutant[0], mutant[1])
    body = "\n".join(a if "MUTANT" in a else b for a, b in zip(model.split("\n"), body.split("\n")))
    found = errors(verify(body)) > 0
    print(f"  seeded bug \"{mutant[0]}\" -> \"{mutant[1]}\": {'found' if found else 'NOT FOUND'}")
    failed += not found
print(f"{1 - min(1, failed)} passed, {failed} failed")
sys.exit(1 if failed else 0)
