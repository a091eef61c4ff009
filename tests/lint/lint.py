#!/usr/bin/env python3
"""The style lint: few rules, which hold. Each finding names the fix. Usage: lint.py [ROOT]

Rules: banned calls (clocks, sleeps, randomness, shared globals) outside the platform layer; lengths of lines, functions
and files; edges between modules; own header first; third-party types in public headers; memory orders that name no
partner; public classes without a `Thread safety:` line; test files that are not in the build; catch (...) without a
reason. `// lint:allow(rule) why` on the line lifts one rule for it."""
import os
import re
import subprocess
import sys
from itertools import takewhile

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
LINE_COLUMNS_MAX = 100

# module: the modules it may include
EDGES = {
    "runtime": {"runtime"},
    "testkit": {"runtime", "testkit"},
    "run": {"runtime", "run"},
    "asio": {"runtime", "asio"},
    "supervision": {"runtime", "supervision"},
    "codec": {"runtime", "codec"},
    "persistence": {"runtime", "codec", "persistence"},
    "persistence_sqlite": {"runtime", "codec", "persistence", "persistence_sqlite"},
    "remoting": {"runtime", "codec", "remoting"},
    "codec_testkit": {"runtime", "testkit", "codec", "codec_testkit"},
    "persistence_testkit": {"runtime", "testkit", "codec", "persistence", "persistence_testkit"},
    "remoting_testkit": {"runtime", "testkit", "codec", "remoting", "remoting_testkit"},
}
BANNED = [
    ("clock", re.compile(r"\b(steady_clock|system_clock|high_resolution_clock)::now\b"), "take the time from the System's Clock"),
    ("sleep", re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\b"), "use a timer, or virtual time in tests"),
    ("random", re.compile(r"\b(std::rand\b|srand\b|random_device\b|std::mt19937)"), "take a Random that was passed in"),
    ("async", re.compile(r"\bstd::async\b"), "use an actor or the blocking pool"),
    ("new_handler", re.compile(r"\bdynamic_cast<.*(Envelope|Message)"), "messages are told apart by their MessageType"),
]
# the platform layer: the real sides of the seams
PLATFORM = {"runtime/src/platform.cpp", "runtime/src/futex.cpp"}
FOREIGN = re.compile(r"#include\s*[<\"](asio|boost|kj|capnp|spdlog|sqlite3|fmt|nlohmann|toml[+][+]|CLI)[/.]")


def strip_strings(line):
    return re.sub(r'"(\\.|[^"\\])*"', '""', line)


def code_of(line):
    return strip_strings(line).split("//")[0]


def module_of(path):
    for own in ("testkit", "run", "asio"):  # targets of their own below runtime/
        if path.startswith(f"runtime/{own}/"):
            return own
    if path.startswith("remoting/testkit/"):
        return "remoting_testkit"
    if path.startswith("codec/testkit/"):
        return "codec_testkit"
    if path.startswith("persistence/backends/sqlite/"):
        return "persistence_sqlite"
    if path.startswith("persistence/testkit/"):
        return "persistence_testkit"
    top = path.split("/")[0]
    return top if top in EDGES else None


def allowed(line, rule):
    return f"lint:allow({rule})" in line


def check_lines(path, lines):
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_COLUMNS_MAX and not re.search(r'R"|"\S{60}', line):
            yield number, "columns", f"{len(line)} columns, at most {LINE_COLUMNS_MAX}: break the line"
        code = code_of(line)
        if path not in PLATFORM and not path.startswith(("benchmarks/", "tests/packaging/", "tests/compile_fail/")):
            for rule, pattern, fix in BANNED:
                if pattern.search(code) and not allowed(line, rule):
                    yield number, rule, f"{pattern.search(code).group(0)} is banned here: {fix}"
        if re.search(r"catch \(\.\.\.\)", code) and "//" not in line and path.startswith(("runtime/", "supervision/")):
            yield number, "catch_all", "catch (...) needs a comment that says why everything may come and where it goes"


def check_memory_orders(path, lines):
    """The comment is in the statement itself, or in the three lines above it, in the same paragraph."""
    if not path.startswith("runtime/src/"):
        return
    code = [code_of(line).rstrip() for line in lines]
    for number, line in enumerate(code):
        if not re.search(r"memory_order_(relaxed|acquire|release|acq_rel)", line):
            continue
        begin = end = number
        while begin > 0 and code[begin - 1] and not code[begin - 1].endswith((";", "{", "}")):
            begin -= 1
        while end < len(code) - 1 and not code[end].endswith((";", "{")):
            end += 1
        above = takewhile(lambda text: text.strip(), reversed(lines[max(0, begin - 3):begin]))
        if not any("//" in text for text in [*lines[begin:end + 1], *above]):
            yield number + 1, "memory_order", "say in a comment which access this one is paired with, or why none is needed"


def check_lengths(path, lines):
    if len(lines) > FILE_LINES_MAX:
        yield len(lines), "file_length", f"{len(lines)} lines, at most {FILE_LINES_MAX}: split the file by concept"
    if not path.endswith(".cpp") or path.startswith("tests/"):
        return
    begin = None
    for number, line in enumerate(lines, 1):
        # a definition at the outermost level: starts in column 0, its body ends with "}" in column 0
        if begin is None and re.match(r"[A-Za-z\[].*\{$", line) and not re.match(r"(namespace|class|struct|enum|union|extern)\b", line):
            begin = number
        if begin is not None and line == "}":
            if number - begin + 1 > FUNCTION_LINES_MAX:
                yield begin, "function_length", f"{number - begin + 1} lines, at most {FUNCTION_LINES_MAX}: split the function"
            begin = None


def check_includes(path, lines):
    module = module_of(path)
    includes = [(n, m.group(1)) for n, line in enumerate(lines, 1) if (m := re.match(r'#include\s*[<"]([^>"]+)[>"]', line))]
    if module:
        for number, target in includes:
            m = re.match(r"troupe/(\w+)/", target)
            if m and m.group(1) in EDGES and m.group(1) not in EDGES[module]:
                yield number, "module_edge", f"{module} may not include {target}: allowed are {', '.join(sorted(EDGES[module]))}"
    if "/include/" in path:
        for number, line in enumerate(lines, 1):
            if FOREIGN.search(line) and not path.startswith("runtime/asio/"):  # whose subject is Asio
                yield number, "foreign_type", "third-party types stay out of public headers"
            if re.search(r'#include\s*"', line):
                yield number, "public_include", "public headers include <troupe/...> only"
    if path.endswith(".cpp") and "/src/" in path and includes:
        stem = os.path.basename(path)[:-4]
        own = [t for _, t in includes if os.path.basename(t) in (stem + ".hpp",)]
        if own and includes[0][1] != own[0]:
            yield includes[0][0], "own_header_first", f"include {own[0]} first: it shows that the header stands alone"


def check_thread_safety(path, lines):
    if "/include/" not in path or "/detail/" in path:
        return
    in_detail = False
    for number, line in enumerate(lines, 1):
        if re.match(r"namespace (detail|troupe::detail)\b", line):
            in_detail = True
        elif line.startswith("}  // namespace detail"):
            in_detail = False
        if in_detail or not re.match(r"class \w+.*[^;]$|class \w+ .*\{$", line) or line.rstrip().endswith(";"):
            continue
        above = []
        i = number - 2
        while i >= 0 and (lines[i].startswith(("///", "template", "  requires")) or lines[i].startswith("class [[")):
            above.append(lines[i])
            i -= 1
        if not any("Thread safety:" in text for text in above):
            yield number, "thread_safety", "a public class says in its comment: `Thread safety: ...`"


def check_tests_built(root, files):
    cmake = "".join(open(os.path.join(root, f), encoding="utf-8").read() for f in files if f.startswith("tests/") and f.endswith("CMakeLists.txt"))
    for path in files:
        if re.match(r"tests/.*_test\.(cpp|py)$", path) and path[len("tests/"):] not in cmake:
            yield path, 1, "test_not_built", "this test is in no CMakeLists.txt: it never runs"


def check_file(path, text):
    lines = text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    for check in (check_lines, check_memory_orders, check_lengths, check_includes, check_thread_safety):
        for number, rule, what in check(path, lines):
            line = lines[number - 1] if number <= len(lines) else ""
            if not allowed(line, rule):
                yield path, number, rule, what


def source_files(root):
    out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout
    return [f for f in out.splitlines() if os.path.isfile(os.path.join(root, f))]


def main(root):
    files = source_files(root)
    findings = list(check_tests_built(root, files))
    for path in files:
        if path.endswith((".hpp", ".cpp")):
            with open(os.path.join(root, path), encoding="utf-8") as f:
                findings += check_file(path, f.read())
    for path, number, rule, what in findings:
        print(f"{path}:{number}: [{rule}] {what}")
    print(f"{len(findings)} findings in {len(files)} files")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../.."))))
