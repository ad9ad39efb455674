"""Decides which sources of a target are compiled together: `unity_groups.py FILE...` prints a line for each group, its files with tabs between.

Most of the time that a source takes goes into headers which its neighbours read as well. Sources whose own names (of anonymous namespaces,
aliases) would meet stay apart, so nothing has to be renamed for it. Our sources do not indent within namespaces: what is declared there
starts in the first column. What this cannot see (a name of one source that hides one of a header for another) the compiler refuses; such
a source is named `ALONE` by its module.
"""
import re
import sys

LARGEST = 15  # hundreds of lines in a group: a change of one source compiles its group, and the cores shall have something to share
TYPE = re.compile(r"(?:template <.*> )?(?:struct|class|union|enum(?: class)?) (?:\[\[\w+\]\] )?(\w+)")
ALIAS = re.compile(r"(?:using|namespace) (\w+) = (.*)")
CALL = re.compile(r"([\w:~]+)\(")
VALUE = re.compile(r"(?:\[\[\w+\]\] )?(?:inline |static |thread_local |constexpr |constinit |const |extern )+.*?(\w+)(?:\[[\w:]*\])*(?:;|$)")
MACRO = re.compile(r"[A-Z][A-Z0-9_]*$")
BLANK = re.compile(r'R"(\w*)\(.*?\)\1"|/\*.*?\*/', re.DOTALL)


def names_of(path):
    """{name: what it is here} of one source, and its hundreds of lines; no names at all (None) where it must be alone."""
    with open(path, encoding="utf-8") as file:
        text = BLANK.sub(lambda match: '""' if match.group(0).startswith("R") else "", file.read())
    # In hundreds, so that few changes move the sources behind to other groups.
    weight = text.count("\n") // 100 + 1
    names = {}
    for line in text.split("\n"):
        if line.startswith("#define") or line.startswith("#undef") or line.startswith("#pragma GCC"):
            return None, weight
        if not line or not (line[0].isalpha() or line[0] in "[_"):
            continue
        if alias := ALIAS.match(line):
            names[alias[1]] = alias[2]
        elif line.startswith(("using ", "namespace ", "return ", "TEST", "INSTANTIATE", "MATCHER")):
            if line.startswith("MATCHER"):
                names[re.findall(r"\w+", line)[1]] = path
        elif declared := TYPE.match(line):
            names[declared[1]] = path
        else:
            head = re.split("[={]", line, maxsplit=1)[0].rstrip()  # `constexpr int kMost`, `Value read(int most`
            called = CALL.search(head)
            if called:
                if "::" not in called[1] and not MACRO.match(called[1]):
                    names[called[1]] = path
            elif value := VALUE.match(head):
                names[value[1]] = path
    return names, weight


def main():
    groups = []  # [names, weight, files]
    for path in sys.argv[1:]:
        names, weight = names_of(path)
        fits = (group for group in groups if names is not None and group[0] is not None and group[1] + weight <= LARGEST and
                all(group[0].get(name, meant) == meant for name, meant in names.items()))
        group = next(fits, None)
        if group is None:
            group = [None if names is None else {}, 0, []]
            groups.append(group)
        if names is not None:
            group[0].update(names)
        group[1] += weight
        group[2].append(path)
    for _names, _weight, files in groups:
        print("\t".join(files))


main()
