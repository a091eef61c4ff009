#!/usr/bin/env python3
"""Builds a consumer project the way a user would. Usage: packaging.py KIND ROOT BUILD
KIND: find_package and pkg_config install BUILD to a temporary prefix first; add_subdirectory uses ROOT."""
import os
import shutil
import subprocess
import sys
import tempfile

kind, root, build = sys.argv[1:4]
here = os.path.dirname(os.path.abspath(__file__))


def run(*command, **options):
    print("+", " ".join(command), flush=True)
    subprocess.run(command, check=True, **options)


with tempfile.TemporaryDirectory() as folder:
    prefix, work = os.path.join(folder, "prefix"), os.path.join(folder, "work")
    shutil.copytree(os.path.join(here, kind), work)
    for name in ("consumer.cpp", "messages.cpp", "ping.capnp"):
        shutil.copy(os.path.join(here, name), work)
    if kind == "add_subdirectory":
        run("cmake", "-S", work, "-B", work + "/build", "-G", "Ninja", f"-DTROUPE_ROOT={root}", "-DCMAKE_BUILD_TYPE=Release",
            "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
        run("cmake", "--build", work + "/build", "--target", "consumer", "messages")
    else:
        run("cmake", "--install", build, "--prefix", prefix, stdout=subprocess.DEVNULL)
        if kind == "find_package":
            run("cmake", "-S", work, "-B", work + "/build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Release")
            run("cmake", "--build", work + "/build")
        else:
            libdir = next(d for d, _, names in os.walk(prefix) if "troupe-runtime.pc" in names)
            # The prefix in the files is the configured one: told where it lies, pkg-config moves it.
            run("bash", "build.sh", cwd=work, env={**os.environ, "PKG_CONFIG_PATH": libdir, "PKG_CONFIG": "pkg-config --define-prefix"})
    run(work + "/build/consumer")
    if kind != "pkg_config":
        run(work + "/build/messages")
