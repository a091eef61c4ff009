#!/usr/bin/env python3
"""Compiles each public header on its own. Usage: headers.py ROOT"""
import concurrent.futures
import os
import subprocess
import sys

root = sys.argv[1]
roots = [os.path.join(root, d) for d in ("runtime/include", "runtime/testkit/include", "supervision/include", "codec/include")]
headers = [os.path.relpath(os.path.join(folder, name), r) for r in roots for folder, _, names in os.walk(r) for name in names if name.endswith(".hpp")]


def check(header):
    command = ["ccache", "g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++", "-"]
    for r in roots:
        command += ["-I", r]
    return header, subprocess.run(command[1:], input=f"#include <{header}>\n", capture_output=True, text=True)


failed = 0
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for header, result in pool.map(check, sorted(headers)):
        if result.returncode != 0:
            failed += 1
            print(f"{header} does not stand alone:\n{result.stderr}")
print(f"{len(headers) - failed} passed, {failed} failed")
sys.exit(1 if failed or not headers else 0)
