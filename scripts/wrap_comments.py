#!/usr/bin/env python3
"""Breaks comment lines that are too long: clang-format leaves comments alone, because their line breaks carry meaning.

What does not fit moves to the start of the next line of the same paragraph, or to a new line. Usage: wrap_comments.py FILE...
"""
import re
import sys

LIMIT = 140
COMMENT = re.compile(r"^(\s*///?<?\s)(\s*)(\S.*)$")
NEW_PARAGRAPH = re.compile(r"^([-*|#]|\d+\.|`{3}|\\|@)")


def continues(indent, following):
    """A line of the same paragraph: no list item, no code block."""
    return not NEW_PARAGRAPH.match(following.group(3)) and len(following.group(2)) <= len(indent) + 2


def wrap(lines):
    lines = list(lines)
    index = 0
    while index < len(lines):
        match = COMMENT.match(lines[index])
        if match and len(lines[index]) > LIMIT:
            prefix, indent, _ = match.groups()
            cut = lines[index].rfind(" ", len(prefix + indent) + 1, LIMIT + 1)
            if cut > 0:
                rest = lines[index][cut + 1:]
                lines[index] = lines[index][:cut]
                hanging = indent + ("  " if NEW_PARAGRAPH.match(match.group(3)) else "")
                following = COMMENT.match(lines[index + 1]) if index + 1 < len(lines) else None
                if following and following.group(1) == prefix and continues(indent, following):
                    lines[index + 1] = prefix + following.group(2) + rest + " " + following.group(3)
                else:
                    lines.insert(index + 1, prefix + hanging + rest)
        index += 1
    return lines


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as file:
            before = file.read()
        after = "\n".join(wrap(before.split("\n")))
        if after != before:
            with open(name, "w", encoding="utf-8") as file:
                file.write(after)


if __name__ == "__main__":
    main()
