#!/usr/bin/env python3
"""embed.py OUTPUT FUNCTION NAMESPACE HEADER FOLDER: writes the C++ source of `pawl_embed` (PawlEmbed.cmake).

A file `x.br` or `x.gz` beside `x` is its compressed form; without `x.gz` one is made. An empty FOLDER gives no files.
"""
import hashlib
import os
import re
import sys
import zlib

TYPES = {"css": "text/css; charset=utf-8", "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8",
         "json": "application/json", "svg": "image/svg+xml", "png": "image/png", "woff2": "font/woff2", "txt": "text/plain; charset=utf-8"}
HASHED = re.compile(r"-[A-Za-z0-9_-]{8}\.[a-z0-9]+$")
# Written as they are; everything else as three octal digits, which cannot run into what follows.
PLAIN = [chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in range(256)]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def gzip(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def literal(data):
    step = 4096
    lines = ["".join(PLAIN[byte] for byte in data[at:at + step]) for at in range(0, len(data), step)] or [""]
    return "\n".join(f'"{line}"' for line in lines)


def files_of(folder):
    names = []
    for parent, _folders, files in os.walk(folder):
        names += [os.path.relpath(os.path.join(parent, name), folder) for name in files]
    return sorted(name for name in names if not name.endswith((".br", ".gz")))


def entry(folder, name, constants):
    path = os.path.join(folder, name)
    plain = read(path)
    packed = read(path + ".gz") if os.path.exists(path + ".gz") else gzip(plain)
    forms = [plain, packed if len(packed) < len(plain) else b"", read(path + ".br") if os.path.exists(path + ".br") else b""]
    views = []
    for form in forms:
        if not form:
            views.append("{}")
            continue
        constant = f"kData{len(constants)}"
        constants.append(f"constexpr char {constant}[] =\n{literal(form)};\n")
        views.append(f"{{{constant}, {len(form)}}}")
    kind = TYPES.get(name.rpartition(".")[2])
    if kind is None:
        sys.exit(f"embed.py: {name}: no media type is known for it")
    tag = hashlib.sha256(plain).hexdigest()[:20]
    return f'    {{"{name}", "{kind}", "{tag}", {", ".join(views)}, {"true" if HASHED.search(name) else "false"}}},\n'


def main():
    output, function, namespace, header, folder = sys.argv[1:]
    constants = []
    entries = [entry(folder, name, constants) for name in files_of(folder)] if folder else []
    table = f"constexpr EmbeddedFile kFiles[] = {{\n{''.join(entries)}}};\n" if entries else ""
    text = f"""// Made by cmake/embed.py.
#include "{header}"

namespace {namespace} {{
namespace {{

using web::EmbeddedFile;

{"".join(constants)}
{table}
}}  // namespace

std::span<const EmbeddedFile> {function}() {{ return {"kFiles" if entries else "{}"}; }}

}}  // namespace {namespace}
"""
    with open(output, "w", encoding="ascii") as file:
        file.write(text)


main()
