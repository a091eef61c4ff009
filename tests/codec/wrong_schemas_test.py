#!/usr/bin/env python3
"""What the plugin says of schemas it can't map; and that it writes the same twice.
Usage: wrong_schemas_test.py CAPNP PLUGIN SCHEMA_DIR"""
import os
import re
import subprocess
import sys
import tempfile

capnp, plugin, schema_dir = sys.argv[1:4]
here = os.path.dirname(os.path.abspath(__file__))
HEAD = '@0xc0b183d0eaf9a7c1;\nusing Troupe = import "/troupe/troupe.capnp";\n$Troupe.namespace("wrong");\n'


def compile_schema(folder, file, out):
    os.makedirs(out, exist_ok=True)
    return subprocess.run([capnp, "compile", f"-I{schema_dir}", f"--src-prefix={folder}", f"-o{plugin}:{out}", file],
                          capture_output=True, text=True, env={**os.environ, "TROUPE_SCHEMA_ROOT": folder})


def check(text, wanted):
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "wrong.capnp")
        with open(file, "w", encoding="utf-8") as f:
            f.write(text)
        result = compile_schema(folder, file, os.path.join(folder, "out"))
        line = next((str(n) for n, l in enumerate(text.split("\n"), 1) if "# HERE" in l), "")
        wanted = wanted.replace("HERE", line)
        return [] if result.returncode != 0 and wanted in result.stderr else [f"wanted: {wanted}\n   got: {result.stderr.strip()}"]


def tree(folder):
    return {name: open(os.path.join(d, name), "rb").read() for d, _, names in os.walk(folder) for name in names}


with open(os.path.join(here, "wrong_schemas.txt"), encoding="utf-8") as f:
    cases = [c.split("\n", 1) for c in re.split(r"^=== ", f.read(), flags=re.M)[1:]]
problems = [p for wanted, text in cases for p in check(HEAD + text, wanted)]
problems += check("@0xc0b183d0eaf9a7c1;\nstruct Order {}\n", "wrong.capnp: error: the file has no C++ namespace")
with tempfile.TemporaryDirectory() as folder:
    outs = [os.path.join(folder, n) for n in ("one", "other")]
    for out in outs:
        result = compile_schema(here, os.path.join(here, "shop.capnp"), out)
        if result.returncode != 0:
            problems.append(result.stderr)
    if tree(outs[0]) != tree(outs[1]) or len(tree(outs[0])) != 3:
        problems.append("two runs wrote different files")
for p in problems:
    print("FAILED:", p)
print(f"{len(cases) + 2 - len(problems)} passed, {len(problems)} failed")
sys.exit(1 if problems else 0)
