#!/usr/bin/env python3
"""What `troupe cert` makes, as OpenSSL's own command sees it. Usage: cert_test.py TROUPE"""
import os
import stat
import subprocess
import sys
import tempfile

troupe = sys.argv[1]
problems = []


def expect(holds, what):
    if not holds:
        problems.append(what)


def run(*args):
    return subprocess.run(args, cwd=folder, capture_output=True, text=True)


def cert(*args):
    return run(troupe, "cert", *args)


with tempfile.TemporaryDirectory() as folder:
    made = cert("init", "pki", "--cluster", "shop")
    expect(made.returncode == 0 and "pki/authority.pem" in made.stdout, f"init: {made}")
    made = cert("issue", "pki", "a", "--days", "3")
    expect(made.returncode == 0 and "troupe://shop/a" in made.stdout, f"issue: {made}")
    for name in ("a.key", "authority.key"):
        mode = stat.S_IMODE(os.stat(os.path.join(folder, "pki", name)).st_mode)
        expect(mode == 0o600, f"{name} has mode {mode:o}")
    for purpose in ("sslclient", "sslserver"):
        seen = run("openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "pki/authority.pem", "pki/a.pem")
        expect(seen.returncode == 0, f"openssl verify for {purpose}: {seen}")
    shown = run("openssl", "x509", "-in", "pki/a.pem", "-noout", "-ext", "subjectAltName", "-checkend", str(2 * 86400))
    expect("URI:troupe://shop/a" in shown.stdout and shown.returncode == 0, f"openssl x509: {shown}")
    ends = run("openssl", "x509", "-in", "pki/a.pem", "-noout", "-checkend", str(4 * 86400))
    expect(ends.returncode == 1, f"it ends after 3 days: {ends}")

    with open(os.path.join(folder, "pki", "a.pem"), encoding="utf-8") as f:
        old = f.read()
    expect(cert("issue", "pki", "a").returncode == 0, "a newer one for the same node")
    with open(os.path.join(folder, "pki", "a.pem"), encoding="utf-8") as f:
        expect(f.read() != old, "the newer one is another")

    for args, says in (
        (("init", "pki", "--cluster", "shop"), "there is an authority in pki"),
        (("init", "other", "--cluster", "a/b"), '"a/b" can\'t be the name of a cluster'),
        (("init", "other", "--cluster", "a" * 55), "write up to 54 letters"),
        (("issue", "pki", "a,URI:troupe://shop/b"), "can't be the name of a node"),
        (("issue", "pki", "authority"), 'a node can\'t be named "authority"'),
        (("issue", "nowhere", "a"), "can't read nowhere/authority.pem: No such file"),
        (("issue", "pki", "b", "--days", "0"), "--days"),
        (("init", "pki"), "--cluster is required"),
    ):
        refused = cert(*args)
        expect(refused.returncode == 2 and says in refused.stderr and not refused.stdout, f"{args}: {refused}")
    expect(cert("init", "long", "--cluster", "a" * 54).returncode == 0, "a name of 54 letters")
    expect(not os.path.exists(os.path.join(folder, "other")), "nothing is made for a wrong name")
    with open(os.path.join(folder, "pki", "authority.key"), "w", encoding="utf-8") as f:
        f.write("no key\n")
    refused = cert("issue", "pki", "b")
    expect(refused.returncode == 2 and "authority.key is not the key" in refused.stderr, f"a broken key: {refused}")

for p in problems:
    print(p)
sys.exit(1 if problems else 0)
