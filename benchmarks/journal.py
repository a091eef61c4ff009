"""Appends of 200-byte events by 1, 16 and 256 writers: Troupe's SQLite journal beside a file that is synced, and SQLite's table
alone, without indexes and with them. In turns, on the same disk."""
import os
import statistics
import subprocess
import tempfile

KINDS = ("file", "table", "indexed", "troupe", "memory")
GATE = 0.6  # of the table without indexes, from 16 writers on


def measure_journal(args):
    program = os.path.join(args.build, "benchmarks/journal_bench")
    met = True
    for writers in (1, 16, 256):
        rates = {kind: [] for kind in KINDS}
        for _ in range(args.runs):
            for kind in KINDS:
                with tempfile.TemporaryDirectory(dir=args.build) as folder:
                    out = subprocess.run([program, kind, str(writers), "1.5", folder], check=True, capture_output=True, text=True)
                rates[kind].append(float(out.stdout))
        for kind in KINDS:
            share = [mine / table for mine, table in zip(rates[kind], rates["table"])]
            print(f"{writers:4} writers  {kind:8} {statistics.median(rates[kind]):12,.0f} events/s "
                  f"[{min(rates[kind]):,.0f} - {max(rates[kind]):,.0f}]  {statistics.median(share):5.2f} of the table", flush=True)
        share = statistics.median([mine / table for mine, table in zip(rates["troupe"], rates["table"])])
        if writers >= 16:
            verdict = "met" if share >= GATE else "MISSED"
            met = met and share >= GATE
            print(f"{writers:4} writers  gate {GATE:.2f} of the table: {share:.2f}: {verdict}")
    return met
