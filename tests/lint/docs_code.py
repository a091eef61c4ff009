#!/usr/bin/env python3
"""Compiles the C++ code of README.md and the guide; a block that has a main() is run too. Blocks of one page follow each
other in one file, unless they have a main() of their own. A capnp block, which begins with the comment `# name.capnp`, is
compiled first. Usage: docs_code.py ROOT BUILD"""
import glob
import os
import re
import subprocess
import sys
import tempfile

root, build = sys.argv[1], sys.argv[2]
roots = [os.path.join(root, d) for d in ("runtime/include", "runtime/testkit/include", "runtime/run/include", "runtime/asio/include", "supervision/include", "codec/include", "codec/testkit/include", "persistence/include", "persistence/testkit/include", "persistence/backends/sqlite/include", "remoting/include", "remoting/testkit/include")]
libraries = [os.path.join(build, f) for f in ("remoting/testkit/libtroupe_remoting_testkit.a", "remoting/libtroupe_remoting.a", "persistence/testkit/libtroupe_persistence_testkit.a", "persistence/backends/sqlite/libtroupe_persistence_sqlite.a", "persistence/libtroupe_persistence.a", "codec/libtroupe_codec.a", "supervision/libtroupe_supervision.a", "runtime/testkit/libtroupe_testkit.a", "runtime/run/libtroupe_run.a", "runtime/asio/libtroupe_asio.a", "runtime/libtroupe_runtime.a")]
PRELUDE = """#include <troupe/runtime/runtime.hpp>
#include <troupe/supervision/supervision.hpp>
#include <troupe/testkit/testkit.hpp>
#include <troupe/run/config.hpp>
#include <troupe/run/run.hpp>
#include <chrono>
#include <iostream>
#include <map>
using namespace std::chrono_literals;
"""


def generate(schemas, folder):
    """The sources of the schemas' codecs."""
    for name, text in schemas:
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)
        subprocess.run(["capnp", "compile", "-I" + os.path.join(root, "codec/schema"), "--src-prefix=" + folder,
                        "-o" + os.path.join(build, "codec/capnpc-troupe") + ":" + folder, os.path.join(folder, name)], check=True)
    return [os.path.join(folder, name + ".cpp") for name, _ in schemas]


def compile_and_run(name, code, run, schemas):
    with tempfile.TemporaryDirectory() as folder:
        codecs = generate(schemas, folder)
        source, program = os.path.join(folder, "page.cpp"), os.path.join(folder, "page")
        with open(source, "w", encoding="utf-8") as f:
            f.write(code)
        command = ["g++", "-std=c++20", "-Wall", "-Wextra"] + [x for r in roots + [folder] for x in ("-I", r)] + [source]
        command += codecs + ["-o", program] + libraries + ["-lcapnp", "-lkj", "-lboost_context", "-lspdlog", "-lfmt", "-lssl", "-lcrypto", "-lsqlite3", "-pthread"] if run else ["-fsyntax-only"]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode == 0 and run:
            result = subprocess.run([program], capture_output=True, text=True, timeout=60)
    if result.returncode != 0:
        print(f"FAILED: {name}\n{result.stdout}{result.stderr}")
    return result.returncode == 0


passed = failed = 0
for page in [os.path.join(root, "README.md")] + sorted(glob.glob(os.path.join(root, "docs/guide/*.md"))):
    with open(page, encoding="utf-8") as f:
        text = f.read()
    blocks = re.findall(r"```cpp\n(.*?)```", text, re.S)
    schemas = [(name, body) for body, name in re.findall(r"```capnp\n(# (\S+)\n.*?)```", text, re.S)]
    name = os.path.relpath(page, root)
    parts = [b for b in blocks if "int main(" not in b]
    jobs = [(name, PRELUDE + "\n".join(parts), False)] if parts else []
    jobs += [(name + " (program)", b, True) for b in blocks if "int main(" in b]
    for job in jobs:
        if compile_and_run(*job, schemas):
            passed += 1
        else:
            failed += 1
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
