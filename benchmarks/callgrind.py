"""What a program executes: instructions, locked instructions and allocations, from callgrind's count of each address and
the disassembly of the objects they lie in."""
import functools
import glob
import os
import re
import subprocess
from collections import Counter, namedtuple

# One call of them per allocation: operator new ends in one, and none of libc's calls another.
ALLOCATORS = {"malloc", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign"}
# An exchange with memory locks without the prefix; a fence costs the same.
LOCKED = re.compile(r"lock\b|mfence\b|xchg\b.*[(:]")
TIMEOUT_S = 120

Counts = namedtuple("Counts", "instructions locked allocations")


def parse_profile(lines):
    """How often each instruction was executed, by (object, address)."""
    executed = Counter()
    in_object = None
    is_call = False
    for line in lines:
        if line.startswith("0x"):
            if not is_call:  # else what the callee cost, which has lines of its own
                address, _, count = line.split()
                executed[in_object, int(address, 16)] += int(count)
            is_call = False
        elif line.startswith("ob="):
            in_object = line[len("ob="):].strip()
        elif line.startswith("calls="):
            is_call = True
    return executed


def locked_addresses(lines):
    """Of the locked instructions, in what `objdump -d --no-show-raw-insn` prints."""
    instructions = (line.split(":\t", 1) for line in lines if ":\t" in line)
    return {int(address, 16) for address, text in instructions if LOCKED.match(text)}


def allocator_addresses(lines):
    """Of the entries of the allocating functions, in what `nm -D --defined-only` prints."""
    symbols = (line.split() for line in lines)
    return {int(address, 16) for address, _, name in symbols if name.split("@")[0] in ALLOCATORS}


def output_of(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


@functools.cache
def special_addresses(path):
    """The locked instructions and the allocators of an object; "???" has no code to read."""
    if not os.path.isfile(path):
        return frozenset(), frozenset()
    return (locked_addresses(output_of("objdump", "-d", "--no-show-raw-insn", path)),
            allocator_addresses(output_of("nm", "-D", "--defined-only", path)))


def count(executed):
    """The Counts of a profile, or of the difference of two."""
    locked = allocations = 0
    for path in {path for path, _ in executed}:
        locks, allocators = special_addresses(path)
        locked += sum(executed[path, address] for address in locks)
        allocations += sum(executed[path, address] for address in allocators)
    return Counts(sum(executed.values()), locked, allocations)


def profile(argv, end, folder):
    """Runs a program; what the thread executed that called the function `end`."""
    out = os.path.join(folder, "-".join(map(os.path.basename, argv)))
    subprocess.run(["valgrind", "--tool=callgrind", "--quiet", "--dump-instr=yes", "--separate-threads=yes", "--compress-pos=no",
                    "--compress-strings=no", f"--callgrind-out-file={out}", *argv],
                   check=True, timeout=TIMEOUT_S, env={**os.environ, "LD_BIND_NOW": "1"})  # a first call costs as any
    for path in glob.glob(f"{glob.escape(out)}-[0-9]*"):
        with open(path, encoding="utf-8") as f:
            lines = f.readlines()
        if f"fn={end}\n" in lines:
            return parse_profile(lines)
    raise RuntimeError(f"no thread of {' '.join(argv)} called {end}")
