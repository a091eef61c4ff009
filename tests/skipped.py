#!/usr/bin/env python3
"""Says how many tests of a run were skipped, which, and why. Usage: skipped.py FILE, as ctest --output-junit writes it"""
import sys
import xml.etree.ElementTree as tree

skipped = []
for case in tree.parse(sys.argv[1]).getroot().iter("testcase"):
    if case.get("status") == "notrun":
        said = (case.findtext("system-out") or "").strip().splitlines()
        skipped.append(case.get("name") + (f" ({said[-1]})" if said else ""))
print(f"{len(skipped)} skipped" + "".join("\n  " + s for s in skipped))
