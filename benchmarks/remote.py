"""Two processes on 127.0.0.1: Troupe, with TLS and without, beside Asio with the same frames and codec, and Erlang's distribution."""
import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager

from rows import judge_rows, run_once, summary

HERE = os.path.dirname(os.path.abspath(__file__))
PERCENTILES = ("p50", "p99", "p999")
# What each measures, in which unit, and who has it besides Troupe.
WORKLOADS = {
    "oneway64": (["remote_oneway64"], "ns/msg", ("asio", "otp")),
    "oneway1k": (["remote_oneway1k"], "ns/msg", ("asio", "otp")),
    "rt": ([f"remote_rt_{p}" for p in PERCENTILES], "us", ("asio", "otp")),
    "load": ([f"remote_load_{p}" for p in PERCENTILES], "us", ("asio", "otp")),
    "large": ([f"remote_beside_large_{p}" for p in PERCENTILES], "us", ("otp",)),
}


@contextmanager
def erlang_names():
    """Erlang's name service of our own, on a free port: it would outlive us otherwise."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = str(s.getsockname()[1])
    environment = dict(os.environ, ERL_EPMD_ADDRESS="127.0.0.1", ERL_EPMD_PORT=port)
    epmd = shutil.which("epmd") or "/usr/lib/erlang/bin/epmd"
    with subprocess.Popen([epmd], env=environment, stdin=subprocess.DEVNULL) as names:
        try:
            yield environment
        finally:
            names.kill()


class Erlang:
    def __init__(self, folder, environment):
        self.folder, self.environment, self.runs = folder, environment, 0
        subprocess.run(["erlc", "-o", folder, os.path.join(HERE, "peers/otp_remote.erl")], check=True)

    def run(self, workload, workers):
        self.runs += 1
        names = [f"{role}{os.getpid()}x{self.runs}@127.0.0.1" for role in ("server", "client")]
        common = ["erl", "+S", f"{workers}:{workers}", "-noshell", "-start_epmd", "false", "-setcookie", "bench", "-kernel",
                  "inet_dist_use_interface", "{127,0,0,1}", "-pa", self.folder]
        with subprocess.Popen([*common, "-name", names[0], "-run", "otp_remote", "serve"], env=self.environment,
                              stdin=subprocess.DEVNULL) as server:
            try:
                return run_once([*common, "-name", names[1], "-run", "otp_remote", "main", names[0], workload], self.environment)
            finally:
                server.kill()


def make_certificates(troupe, folder):
    for words in (["init", folder, "--cluster", "bench"], ["issue", folder, "server"], ["issue", folder, "client"]):
        subprocess.run([troupe, "cert", *words], check=True, stdout=subprocess.DEVNULL)


def measure_remote(args):
    programs = os.path.join(args.build, "benchmarks")
    rows = []
    with tempfile.TemporaryDirectory() as folder, erlang_names() as environment:
        erlang = Erlang(folder, environment)
        pki = os.path.join(folder, "pki")
        make_certificates(os.path.join(args.build, "tools/troupe/troupe"), pki)
        peers = {
            "troupe": lambda w, n: run_once([f"{programs}/troupe_remote_bench", w, str(n)]),
            "tls": lambda w, n: run_once([f"{programs}/troupe_remote_bench", w, str(n), pki]),
            "asio": lambda w, n: run_once([f"{programs}/asio_remote_bench", w]),
            "otp": erlang.run,
        }
        for workload, (names, unit, others) in WORKLOADS.items():
            if args.only and workload not in args.only.split(","):
                continue
            for workers in [n for n in (1, 2) if args.workers in (None, n)]:
                values = {name: {} for name in names}
                for _ in range(args.runs):
                    for peer in ("troupe", "tls", *others):
                        for name, value in peers[peer](workload, workers).items():
                            values[name].setdefault(peer, []).append(value)
                new = [{"name": name, "workers": workers, "unit": unit, "better": "less",
                        "results": {peer: summary(v) for peer, v in by_peer.items()}} for name, by_peer in values.items()]
                rows += new
                judge_rows(new, rows)
    return rows
