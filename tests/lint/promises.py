#!/usr/bin/env python3
"""Per promise of docs/semantics.md: the tests that name it, how many assertions they have, and the seeded faults
(tests/mutants) that break it and are caught.
Usage: promises.py [--gaps]   (--gaps: only those without a test)"""
import os
import re
import sys
import tomllib

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))


def tests():
    for folder, _, names in os.walk(os.path.join(ROOT, "tests")):
        for name in sorted(names):
            if not name.endswith("_test.cpp"):
                continue
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                text = f.read()
            for part in re.split(r"\nTEST_CASE\(\s*", text)[1:]:
                part = re.sub(r'"\s*\n\s*"', "", part)  # a title broken over lines
                title = re.match(r'"((?:[^"\\]|\\.)*)"', part)
                if title:
                    assertions = len(re.findall(r"\bREQUIRE\w*\(|\bexpect(?:_no_message)?[<(]|static_assert\(", part))
                    yield title.group(1), os.path.relpath(os.path.join(folder, name), ROOT), assertions
    for promises, name in (("S144", "wrong_uses.cpp"), ("S126 S144", "wrong_uses_of_events.cpp")):
        with open(os.path.join(ROOT, "tests/compile_fail", name), encoding="utf-8") as f:
            cases = len(re.findall(r"^// CASE ", f.read(), re.M))
        yield f"{promises} wrong uses and what the compilers say of them", f"tests/compile_fail/{name}", cases


def mutants():
    """Names of seeded faults by promise."""
    with open(os.path.join(ROOT, "tests/mutants/mutants.toml"), "rb") as f:
        areas = tomllib.load(f)
    found = {}
    for area in areas.values():
        for name, mutant in area.items():
            for promise in mutant["breaks"].split():
                found.setdefault(promise[1:], []).append(name)
    return found


def promises():
    section = ""
    with open(os.path.join(ROOT, "docs/semantics.md"), encoding="utf-8") as f:
        for line in f:
            if line.startswith("### "):
                section = line[4:].strip()
            m = re.match(r"(\d+a?)\. (.*)", line)
            if m:
                yield section, m.group(1), m.group(2)


def main():
    by_promise = {}
    for title, path, assertions in tests():
        for number in re.findall(r"\bS(\d+a?)\b", title):
            by_promise.setdefault(number, []).append((title, path, assertions))
    broken_by = mutants()
    covered = total = 0
    last = None
    for section, number, text in promises():
        total += 1
        found = by_promise.get(number, [])
        covered += bool(found)
        if "--gaps" in sys.argv and found:
            continue
        if section != last:
            print(f"\n{section}")
            last = section
        short = re.sub(r"\*+", "", text)[:90]
        print(f"  S{number:4} {len(found)} tests, {sum(a for *_, a in found)} assertions: {short}")
        for title, path, assertions in found:
            print(f"         {path}: {title} ({assertions})")
        if number in broken_by:
            print(f"         broken by: {', '.join(broken_by[number])}")
    print(f"\n{covered} of {total} promises have a test")


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # piped into head
        sys.stderr.close()
