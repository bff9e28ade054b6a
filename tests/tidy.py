#!/usr/bin/env python3
"""House rules that neither the compiler nor clang-tidy checks (CONTRIBUTING.md says why).

    tests/tidy.py               check all sources; prints file:line: rule: message; exit 1 on findings
    tests/tidy.py --list        print the C++ sources that are ours
    tests/tidy.py --self-test   prove that each rule bites
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Low to high: a folder includes only itself and folders left of it; services may include all.
LAYERS = ["base", "conversation", "storage", "actors", "cluster", "services"]
FOLDERS = LAYERS + ["tests", "bench"]
UNMIRRORED = {"integration", "support", "sim", "fuzz", "style", "data", "suppressions"}
# The pure part: no input or output, no clock, no thread, no randomness, no order that varies.
PURE = re.compile(r"(base|conversation)/|cluster/(ring|lease_machine|lease_plan|ownership)\.")
PURE_INCLUDES = re.compile(r"caf/|grpc|rocksdb/|libpq|(thread|mutex|chrono|random|ctime)$"
                           r"|absl/(random/|time/clock)")
PURE_WORDS = re.compile(r"std::unordered_|(?<![\w.>])(std::|::)?(rand|time)\(")
# What may be included where: (name, the includes meant, the files that may).
PLACES = [
    ("caf", re.compile(r"caf/"),
     re.compile(r"(tests/)?(actors|cluster)/|tests/(support|suppressions)/|bench/|services/(call_queue|node|server)\.")),
    ("grpc", re.compile(r"grpc(pp|\+\+)?/|.*\.grpc\.pb\.h$"), re.compile(r"(services|bench|tests)/")),
    ("rocksdb", re.compile(r"rocksdb/"), re.compile(r"storage/(.*\.cpp|.*rocks[^/]*\.hpp)$|(tests|bench)/")),
    ("libpq", re.compile(r"(postgresql/)?libpq"), re.compile(r"storage/.*\.cpp$|tests/")),
    ("private header", re.compile(r"storage/.*rocks[^/]*\.hpp$"), re.compile(r"(tests/)?storage/")),
    ("generated code", re.compile(r".*\.pb\.h$"),
     re.compile(r"storage/(codec|local|postgres/readable)|(services|tests|bench)/|cluster/peer_codec")),
]
VAGUE = {"manager", "helper", "helpers", "util", "utils", "common", "impl"}
LINES_MAX, FUNCTION_MAX = 500, 70
MACHINE_PATH = re.compile(r"(?<![\w.~\-])/(home|root|Users|work|workspaces?)/|%s\b" % re.escape(str(ROOT)))
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+)[>"]')
# As in .clang-format.
STANDARD = re.compile(r"<(?!(xxhash|zstd|libpq-fe)\.h)([a-z_0-9]+(\.h)?|(sys|linux|netinet|arpa|net)/.*\.h)$")
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.S)


class Source:
    """One file, with what the rules ask of it."""

    def __init__(self, path, text, known):
        self.path, self.text, self.known = path, text, known
        self.lines = text.split("\n")
        self.folder = path.split("/")[0]
        self.is_cpp = path.endswith((".hpp", ".cpp"))
        self.is_header = path.endswith(".hpp")
        # Comments and literals blanked; the lines stay where they were.
        self.code = NOT_CODE.sub(lambda m: " " + "\n" * m.group().count("\n"), text if self.is_cpp else "")
        self.includes = [(line, m.group(1)[1:], m.group(1)[0])
                         for line, m in grep(INCLUDE, text if self.is_cpp else "")]


def grep(pattern, text):
    return ((number, match) for number, line in enumerate(text.split("\n"), 1)
            for match in re.finditer(pattern, line))


def header(s):
    if s.is_header and not re.search(r"^#pragma once$", s.text, re.M):
        yield 1, "a header needs #pragma once"
    for line, _ in grep(r"\busing\s+namespace\b", s.code if s.is_header else ""):
        yield line, "using namespace in a header reaches everybody who includes it"


def include_order(s):
    own = re.sub(r"^tests/|(_test)?\.[ch]pp$", "", s.path) + ".hpp"
    stem = Path(own).stem  # clang-format takes any header of this name for the file's own
    last = 0
    for index, (line, name, mark) in enumerate(s.includes):
        first = name.split("/")[0]
        if mark == '"' and ("/" not in name or name.startswith(".")):
            yield line, f'"{name}": include from the root of the repository'
        elif first in FOLDERS and name.endswith(".hpp") and (mark != '"' or name not in s.known):
            yield line, f'"{name}": no such header of ours, or not in quotes'
        if name == own and index and not s.is_header:
            yield line, f'"{name}": its own header comes first'
        if Path(name).stem == stem and first in FOLDERS and not s.is_header:
            continue
        rank = 2 if first in FOLDERS + ["parley"] else 0 if STANDARD.match(mark + name) else 1
        if rank < last:
            yield line, f"{name}: order is own header, standard, third parties, this project"
        last = rank


def layers(s):
    for line, name, _ in s.includes:
        there = name.split("/")[0]
        if s.folder in LAYERS[:-1] and there in FOLDERS and not (
                there in LAYERS and LAYERS.index(there) <= LAYERS.index(s.folder)):
            yield line, f"{s.folder}/ may not include {there}/ (order: {' < '.join(LAYERS)})"
        if there == "tests" and s.folder not in ("tests", "bench"):
            yield line, "only tests/ and bench/ include tests/"
        if s.path.startswith("storage/log/") and there == "conversation":
            yield line, "the log knows bytes, not conversations"
    if s.is_cpp and s.folder not in FOLDERS:
        yield 1, f"no such folder in the layout: {s.folder}/"


def pure(s):
    if s.is_cpp and PURE.match(s.path):
        for line, name, _ in s.includes:
            if PURE_INCLUDES.match(name):
                yield line, f"{name}: banned in the pure core; take the fact as a value"
        for line, match in grep(PURE_WORDS, s.code):
            yield line, f"{match.group()}: banned in the pure core (clock, chance or unordered)"


def places(s):
    for line, name, _ in s.includes:
        for what, meant, allowed in PLACES:
            if meant.match(name) and not allowed.match(s.path):
                yield line, f"{name}: {what} is not for this file"


def size(s):
    if s.is_cpp and len(s.lines) - 1 > LINES_MAX:
        yield LINES_MAX + 1, f"{len(s.lines) - 1} lines; {LINES_MAX} at most, aim below 200"
    # Formatted code begins and ends a function in the first column; a lone } is no type's end (};).
    start = 0
    for number, line in enumerate(s.code.split("\n"), 1) if s.is_cpp else ():
        if line.rstrip() == "}" and number - start - 1 > FUNCTION_MAX:
            yield start, f"function of {number - start - 1} lines; {FUNCTION_MAX} at most, aim below 30"
        if re.match(r"[\w~:\[}]", line):
            start = number


def todo(s):
    if s.path.endswith((".hpp", ".cpp", ".proto", ".cmake", "CMakeLists.txt")):
        for line, match in grep(r"\b(TODO|FIXME|XXX)\b(\((\w*)\))?", s.text):
            if match.group(1) != "TODO" or match.group(3) not in ("soon", "perf", "cleanup"):
                yield line, "only TODO(soon|perf|cleanup) may stay"


def vague_name(s):
    for line, match in grep(r"\b(?:class|struct|enum|using|concept)\s+(\w+)", s.code):
        if VAGUE & {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+", match.group(1))}:
            yield line, f"{match.group(1)}: say what it is or does"
    if s.is_cpp and VAGUE & set(Path(s.path).stem.split("_")):
        yield 1, "the file's name: say what is in it"


def machine_path(s):
    if not s.path.endswith("tidy.py"):
        for line, match in grep(MACHINE_PATH, s.text):
            yield line, f"{match.group()}: a path of somebody's machine"


def blanks(s):
    for line, match in grep(r"\t|\r|[ ]+$", s.text):
        yield line, "tab" if match.group() == "\t" else "blanks at the end of the line"
    if s.text and not s.text.endswith("\n"):
        yield len(s.lines), "no newline at the end of the file"


def mirror(s):
    parts = s.path.split("/")
    if s.folder != "tests" or not s.is_cpp or len(parts) < 3 or parts[1] in UNMIRRORED:
        return
    name = parts[-1].removesuffix("_test.cpp")
    stems = {Path(k).stem for k in s.known if k.startswith(parts[1] + "/")}
    if parts[1] not in LAYERS:
        yield 1, f"tests/{parts[1]}/ mirrors no folder"
    elif name != parts[-1] and not any(name == x or name.startswith(x + "_") for x in stems):
        yield 1, f"tests nothing: no {name}.hpp or .cpp under {parts[1]}/"


RULES = [header, include_order, layers, pure, places, size, todo, vague_name, machine_path, blanks, mirror]
CHECKED = (".hpp", ".cpp", ".proto", ".cmake", ".py", ".md", ".txt", ".yaml", ".yml", "/run")


def findings(files):
    for path, text in sorted(files.items()):
        source = Source(path, text, files.keys())
        for rule in RULES:
            for line, message in rule(source):
                yield path, line, rule.__name__, message


def sources():
    listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
    paths = [p for p in listed.stdout.split("\0") if p == "dev" or p.endswith(CHECKED)]
    return {p: (ROOT / p).read_text(encoding="utf-8") for p in sorted(set(paths)) if (ROOT / p).is_file()}


# Each rule on small inputs that break it: (rule, path, text). GOOD must pass them all.
BAD = [
    (header, "base/x.hpp", "int x();\n"),
    (include_order, "storage/x.cpp", '#include <vector>\n#include "storage/x.hpp"\n'),
    (include_order, "storage/x.cpp", '#include "../base/a.hpp"\n'),
    (include_order, "storage/x.cpp", '#include "base/missing.hpp"\n'),
    (include_order, "storage/x.cpp", '#include "base/a.hpp"\n#include <vector>\n'),
    (include_order, "storage/x.cpp", '#include <caf/all.hpp>\n#include <sys/x.h>\n'),
    (layers, "base/x.cpp", '#include "storage/x.hpp"\n'),
    (layers, "actors/x.cpp", '#include "cluster/x.hpp"\n'),
    (layers, "services/x.cpp", '#include "tests/support/x.hpp"\n'),
    (layers, "storage/log/x.cpp", '#include "conversation/x.hpp"\n'),
    (layers, "misc/x.cpp", "int x;\n"),
    (pure, "conversation/x.cpp", "#include <chrono>\n"),
    (pure, "base/x.cpp", "std::unordered_map<int, int> m;\n"),
    (pure, "conversation/x.cpp", "auto now = std::time(nullptr);\n"),
    (pure, "cluster/ring.cpp", "int dice = rand();\n"),
    (places, "services/x.cpp", "#include <caf/all.hpp>\n"),
    (places, "storage/x.cpp", "#include <grpcpp/grpcpp.h>\n"),
    (places, "storage/x.hpp", "#include <rocksdb/db.h>\n"),
    (places, "actors/x.cpp", "#include <libpq-fe.h>\n"),
    (places, "storage/x.cpp", '#include "parley/v1/message.pb.h"\n'),
    (places, "services/x.cpp", '#include "storage/local/rocks_store.hpp"\n'),
    (size, "base/x.cpp", "int x;\n" * 501),
    (size, "base/x.cpp", "void f() {\n" + "  g();\n" * 71 + "}\n"),
    (todo, "base/x.cpp", "// TODO: later\n"), (todo, "base/x.cpp", "// TODO(now) at once\n"),
    (vague_name, "base/x.cpp", "class LogManager {};\n"),
    (vague_name, "base/string_util.cpp", "int x;\n"),
    (machine_path, "base/x.cpp", '// see /home/me/x\n'),
    (blanks, "base/x.cpp", "int x;\t\n"), (blanks, "base/x.cpp", "int x;"),
    (header, "base/x.hpp", "#pragma once\nusing namespace std;\n"),
    (mirror, "tests/base/gone_test.cpp", "int x;\n"), (mirror, "tests/misc/a_test.cpp", "int x;\n"),
]
GOOD = {
    "base/a.hpp": "#pragma once\n\n#include <fcntl.h>\n#include <vector>\n\nstruct Implicit {};  // no rand()\n",
    "base/a.cpp": '#include "base/a.hpp"\n\nint create_time(int);\n// TODO(soon): "std::unordered_map"\n'
                  'const char* k_text = "time(";\nvoid f() {\n' + "  g();\n" * 70 + "}\n",
    "storage/a.cpp": '#include <vector>\n\n#include <rocksdb/db.h>\n\n#include "base/a.hpp"\n',
    "tests/base/a_contract_test.cpp": '#include <gtest/gtest.h>\n\n#include "base/a.hpp"\n',
    "tests/base/a_test.cpp": '#include "base/a.hpp"\n\n#include <gtest/gtest.h>\n',
}


def self_test():
    failed = [f"finds fault with good input: {f}" for f in findings(GOOD)]
    failed += [f"no case for rule {rule.__name__}" for rule in RULES if rule not in {b[0] for b in BAD}]
    for rule, path, text in BAD:
        files = dict(GOOD) | {"storage/x.hpp": "#pragma once\n"} | {path: text}
        if not any(f[0] == path and f[2] == rule.__name__ for f in findings(files)):
            failed.append(f"{rule.__name__} does not bite on {path}: {text[:80]!r}")
    print("\n".join(failed) or f"{len(BAD)} cases, each of {len(RULES)} rules bites")
    return bool(failed)


def main(arguments):
    if "--self-test" in arguments:
        return self_test()
    if "--list" in arguments:
        return print("\n".join(p for p in sources() if p.endswith((".hpp", ".cpp"))))
    found = [f"{path}:{line}: {rule}: {message}" for path, line, rule, message in findings(sources())]
    print("\n".join(found) or "tidy: nothing found")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
