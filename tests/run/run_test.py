#!/usr/bin/env python3
"""troupe::run as a user sees it: options, signals, exit codes. Usage: run_test.py SERVER"""
import os
import signal
import subprocess
import sys
import tempfile

server = sys.argv[1]
base = {k: v for k, v in os.environ.items() if not k.startswith("TROUPE_")}
failed = 0


def check(what, condition, *shown):
    global failed
    failed += not condition
    print(("ok: " if condition else "FAILED: ") + what, *([] if condition else shown))


def ends(*arguments, **variables):
    done = subprocess.run([server, *arguments], capture_output=True, text=True, timeout=60, env={**base, **variables})
    return done.returncode, done.stdout, done.stderr


def runs(*arguments, end_by=signal.SIGTERM, **variables):
    """Starts it, waits until it says that it runs, and ends it."""
    process = subprocess.Popen([server, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**base, **variables})
    said = ""
    while line := process.stdout.readline():
        said += line
        if line.startswith("workers"):
            break
    process.send_signal(end_by)
    out, err = process.communicate(timeout=60)
    return process.returncode, said + out, err


code, out, err = runs("--set", "workers=2", "extra")
check("it runs until SIGTERM, with the arguments left over", code == 128 + signal.SIGTERM and "argument extra\nworkers 2\nstopped" in out, code, out, err)
code, out, err = runs(end_by=signal.SIGINT)
check("SIGINT ends it too", code == 128 + signal.SIGINT and "stopped" in out, code, out, err)
with tempfile.TemporaryDirectory() as folder:
    config = os.path.join(folder, "server.toml")
    with open(config, "w", encoding="utf-8") as f:
        f.write("[troupe]\nworkers = 3\nask_timeout = \"1s\"\n")
    _, out, err = ends("--config", config, "--print-config")
    check("the file is read", "workers = 3" in out and 'ask_timeout = "1s"' in out, out, err)
    _, out, err = ends("--print-config", TROUPE_CONFIG=config, TROUPE_WORKERS="4")
    check("the environment goes before the file, and can name it", "workers = 4" in out and 'ask_timeout = "1s"' in out, out, err)
    _, out, err = ends("--config", config, "--set", "workers=5", "--print-config", TROUPE_WORKERS="4")
    check("--set goes before both", "workers = 5" in out, out, err)
    with open(config, "a", encoding="utf-8") as f:
        f.write("stashmax = 3\n")
    code, out, err = ends("--config", config)
    check("a wrong file starts nothing", code == 2 and out == "" and "server.toml:4:1: unknown option \"stashmax\"; did you mean \"stash_max\"?" in err, code, out, err)
code, out, err = ends("--set", "workers=x")
check("a wrong option starts nothing", code == 2 and out == "" and "workers is a whole number" in err, code, out, err)
code, out, err = ends(TROUPE_WORKER="1")
check("a wrong variable starts nothing", code == 2 and "TROUPE_WORKER" in err and "\"workers\"" in err, code, out, err)
code, out, err = ends("fail")
check("what start throws is told, and the code is 1", code == 1 and "no such database" in err, code, out, err)
code, out, err = ends("--help")
check("--help", code == 0 and "--print-config" in out, code, out, err)
sys.exit(1 if failed else 0)
