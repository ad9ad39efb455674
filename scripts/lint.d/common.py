"""What the checks in this folder share.

Each check is a program: it takes files (none: all), prints one line per problem and ends with 0 or 1."""
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "release"
SOURCES = BUILD / "sources"
JOBS = int(os.environ.get("PAWL_JOBS") or len(os.sched_getaffinity(0)))


def tracked(*patterns):
    """Files that git tracks or would track and that exist, relative to the root, narrowed to the command line's files if there are any."""
    out = subprocess.run(["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns],
                         check=True, capture_output=True, text=True).stdout
    files = sorted({name for name in out.split("\0") if name and (ROOT / name).is_file()})
    chosen = {os.path.relpath(os.path.abspath(argument), ROOT) for argument in sys.argv[1:] if not argument.startswith("-")}
    return [name for name in files if name in chosen] if chosen else files


def read(name):
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


TOKEN = re.compile(
    r'''R"(?P<mark>[^()\\\s]{0,16})\((?:.|\n)*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|//[^\n]*|/\*(?:.|\n)*?\*/''')


def blank_cpp(text, keep_strings=False):
    """C++ text with comments (and the insides of literals) blanked, so that what remains is code; lines keep their numbers."""
    def replace(match):
        found = match.group(0)
        if found[0] == "/":
            return re.sub(r"[^\n]", " ", found)
        if found[0] == "'" and match.start() > 0 and text[match.start() - 1].isalnum():
            return found  # a digit separator, not a literal
        return found if keep_strings else '""' + "\n" * found.count("\n")
    return TOKEN.sub(replace, re.sub(r"(?<=\d)'(?=\d)", "", text))


def without_raw_strings(text):
    """C++ text with raw strings emptied; lines keep their numbers."""
    return TOKEN.sub(lambda match: '""' + "\n" * match.group(0).count("\n") if match.group(0).startswith("R") else match.group(0), text)


def finish(problems):
    """Prints the problems and ends the program."""
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


def compile_commands():
    """Relative source name -> list of arguments, from the release build's compilation database. Sources that are compiled together with
    others (cmake/PawlUnity.cmake) get the arguments of what includes them; SOURCES is a folder with a database that says the same."""
    database = BUILD / "compile_commands.json"
    if not database.is_file():
        sys.exit("build/release is not configured; run scripts/lint, which does it, or cmake --preset release")
    commands = {}
    for entry in json.loads(database.read_text()):
        arguments = shlex.split(entry["command"])
        paths = [entry["file"]]
        if entry["file"].startswith(f"{BUILD}/unity/"):
            included = re.findall(r'^#include "(.+)"', pathlib.Path(entry["file"]).read_text(encoding="utf-8"), re.MULTILINE)
            paths = [f"{ROOT}/src/{name}" for name in included]
        for path in paths:
            name = os.path.relpath(path, ROOT)
            if not name.startswith(("build/", "..")):
                commands.setdefault(name, [path if each == entry["file"] else each for each in arguments])
    SOURCES.mkdir(exist_ok=True)
    staged = SOURCES / f"{os.getpid()}.json"
    staged.write_text(json.dumps([{"directory": str(BUILD), "file": f"{ROOT}/{name}", "arguments": arguments}
                                  for name, arguments in commands.items()]))
    staged.replace(SOURCES / "compile_commands.json")
    return commands


def include_closure(name, cache={}):
    """Project files that a source includes, directly or not (itself too)."""
    if name not in cache:
        cache[name] = {name}
        found = {name}
        for included in re.findall(r'^\s*#\s*include\s+"([^"]+)"', read(name), re.MULTILINE):
            for candidate in (f"src/{included}", os.path.join(os.path.dirname(name), included), included):
                candidate = os.path.normpath(candidate)
                if (ROOT / candidate).is_file():
                    found |= include_closure(candidate)
                    break
        cache[name] = found
    return cache[name]


def fingerprint(name, command, *extra):
    """Hash of all that decides the outcome of an analysis of one source: its project files, its flags, the tool and its settings."""
    digest = hashlib.sha256()
    for item in [" ".join(command).replace(str(ROOT), ""), *extra]:
        digest.update(item.encode() + b"\0")
    for part in sorted(include_closure(name)):
        digest.update(part.encode() + b"\0" + (ROOT / part).read_bytes() + b"\0")
    return digest.hexdigest()


def cached(check, names, key_of, run):
    """Runs `run(name) -> list of problems` in parallel over names; what was clean before and has not changed is not run again.

    The cache holds empty files named by hash, beside ccache's data, so that every checkout on a machine shares it."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = pathlib.Path(os.environ.get("PAWL_LINT_CACHE") or os.path.join(home, "pawl-lint")) / check
    folder.mkdir(parents=True, exist_ok=True)

    def one(name):
        stamp = folder / key_of(name)
        if stamp.exists():
            return []
        problems = run(name)
        if not problems:
            stamp.touch()
        return problems

    with ThreadPoolExecutor(JOBS) as pool:
        return [problem for problems in pool.map(one, names) for problem in problems]


def tool_version(program):
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
