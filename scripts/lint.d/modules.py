"""The modules as the build declares them (build/release/modules.txt, written by cmake/PawlModule.cmake)."""
from common import BUILD, sys


class Module:
    def __init__(self, folder, layer, pure, deps):
        self.folder, self.layer, self.pure, self.deps = folder, layer, pure, deps


def load():
    path = BUILD / "modules.txt"
    if not path.is_file():
        sys.exit("build/release/modules.txt does not exist; run cmake --preset release")
    modules = {}
    for line in path.read_text().splitlines():
        folder, layer, purity, *deps = line.split()
        modules[folder] = Module(folder, int(layer), purity == "pure", deps)
    return modules


def owner(modules, path):
    """The module that a path below src/ belongs to: the longest folder that contains it; None where no module does."""
    parts = path.split("/")
    for length in range(len(parts) - 1, 0, -1):
        folder = "/".join(parts[:length])
        if folder in modules:
            return folder
    return None
