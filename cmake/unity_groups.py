"""Decides which sources of a target are compiled together: `unity_groups.py FILE...` prints a line for each group, its files with tabs between.

Most of the time that a source takes goes into headers which its neighbours read as well. Sources whose own names (of anonymous namespaces,
aliases) would meet stay apart, so nothing has to be renamed for it. Our sources do not indent within namespaces: what is declared there
starts in the first column. Neither may a name of one source's own be what another uses of a header: it would be found first, and mean
something else there. What this cannot see, the compiler refuses; such a source is named `ALONE` by its module.
"""
import re
import sys

LARGEST = 15  # hundreds of lines in a group: a change of one source compiles its group, and the cores shall have something to share
TYPE = re.compile(r"(?:template <.*> )?(?:struct|class|union|enum(?: class)?) (?:\[\[\w+\]\] )?(\w+)")
ALIAS = re.compile(r"(?:using|namespace) (\w+) = (.*)")
CALL = re.compile(r"([\w:~]+)\(")
VALUE = re.compile(r"(?:\[\[\w+\]\] )?(?:inline |static |thread_local |constexpr |constinit |const |extern )+.*?(\w+)(?:\[[\w:]*\])*(?:;|$)")
MACRO = re.compile(r"[A-Z][A-Z0-9_]*$")
BLANK = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', re.DOTALL)
USED = re.compile(r"(?<![\w.:>~])(?:([A-Z]\w*|k[A-Z]\w*)|(\w+)(?=\())")


def name_in(line):
    """(name, what it means) that a line in the first column declares, or None."""
    if alias := ALIAS.match(line):
        return alias[1], alias[2]
    if line.startswith(("using ", "namespace ", "return ", "TEST", "INSTANTIATE")):
        return None
    if line.startswith("MATCHER"):
        return re.findall(r"\w+", line)[1], ""
    if declared := TYPE.match(line):
        return declared[1], ""
    head = re.split("[={]", line, maxsplit=1)[0].rstrip()  # `constexpr int kMost`, `Value read(int most`
    if called := CALL.search(head):
        return None if "::" in called[1] or MACRO.match(called[1]) else (called[1], "")
    value = VALUE.match(head)
    return (value[1], "") if value else None


class Source:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            text = BLANK.sub(lambda match: "" if match[0].startswith("/") else '""', file.read())
        self.path = path
        # In hundreds, so that few changes move the sources behind to other groups.
        self.weight = text.count("\n") // 100 + 1
        self.alone = re.search(r"^#(define|undef|pragma GCC)", text, re.MULTILINE) is not None
        self.own, self.public = {}, set()  # {name: what it means} of anonymous namespaces, and names of the others
        is_own = False
        for line in text.split("\n"):
            if line.startswith("namespace {"):
                is_own = True
            elif line.startswith("}  "):  # of a namespace: a comment follows its brace, and nothing that of a function
                is_own = False
            elif line and (line[0].isalpha() or line[0] in "[_") and (found := name_in(line)):
                if is_own or line.startswith("static ") or found[1]:
                    self.own[found[0]] = found[1] or path
                else:
                    self.public.add(found[0])
        self.used = {match[1] or match[2] for match in USED.finditer(text)}

    def fits(self, other):
        """Whether each means in one file what it means alone."""
        if any(other.own.get(name, meant) != meant for name, meant in self.own.items()):
            return False
        mine = {name for name in self.own if name not in other.own}
        theirs = {name for name in other.own if name not in self.own}
        return not (mine & (other.used | other.public) or theirs & (self.used | self.public))


def main():
    groups = []
    for path in sys.argv[1:]:
        source = Source(path)
        for group in groups:
            weight = sum(other.weight for other in group)
            if not source.alone and not group[0].alone and weight + source.weight <= LARGEST and all(source.fits(other) for other in group):
                group.append(source)
                break
        else:
            groups.append([source])
    for group in groups:
        print("\t".join(source.path for source in group))


main()
