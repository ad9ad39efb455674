"""Scripts of the offline models, for servers of tests."""

import json
import os


def write_scripts(folder, scripts):
    """`{model: replies, or the script's text in YAML}` -> `LLM_SCRIPTS`: a folder within this one, where `scripted/MODEL` answers so."""
    path = os.path.join(folder, "scripts")
    os.mkdir(path)
    for model, replies in scripts.items():
        is_text = isinstance(replies, str)
        with open(os.path.join(path, model + (".yaml" if is_text else ".json")), "w", encoding="utf-8") as file:
            file.write(replies if is_text else json.dumps({"replies": replies}))
    return path
