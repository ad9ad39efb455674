#!/usr/bin/env python3
"""proves: O1

The Helm chart: every template renders to a manifest, and what they say together holds. Debian has no helm, so a small renderer of the part of the
template language that the chart keeps to stands in: it refuses everything else. Where helm is installed, `helm lint` has its say, too.
"""

import operator
import os
import re
import shutil
import subprocess
import sys
import unittest

SOURCE = os.environ.get("PAWL_SOURCE_DIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
CHART = os.path.join(SOURCE, "packaging", "helm")


# ---- YAML, as far as the chart uses it -----------------------------------------------------------------------------------------

def scalar(text):
    text = text.strip()
    if text[:1] in "\"'" and text[-1:] == text[:1]:
        return text[1:-1]
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    return {"true": True, "false": False, "": None}.get(text, text)


def flow(text, at=0):
    """A value in one line -> (value, position behind it)."""
    while at < len(text) and text[at] == " ":
        at += 1
    if text[at:at + 1] in ("{", "["):
        is_map, at = text[at] == "{", at + 1
        found = {} if is_map else []
        while True:
            while text[at] in " ,":
                at += 1
            if text[at] in "}]":
                return found, at + 1
            if is_map:
                end = text.index(": ", at)
                found[text[at:end].strip()], at = flow(text, end + 2)
            else:
                value, at = flow(text, at)
                found.append(value)
    if text[at:at + 1] == '"':
        end = text.index('"', at + 1)
        return text[at + 1:end], end + 1
    end = at
    while end < len(text) and text[end] not in ",}]":
        end += 1
    return scalar(text[at:end]), end


def value_of(text):
    if text[:1] in "{[":
        value, end = flow(text)
        if text[end:].strip():
            raise ValueError(f"what follows a value: {text}")
        return value
    return scalar(text)


def parse(text):
    lines = [(len(line) - len(line.lstrip()), line.strip()) for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]

    def block(index, indent):
        if lines[index][1].startswith("- "):
            items = []
            while index < len(lines) and lines[index][0] == indent and lines[index][1].startswith("- "):
                rest = lines[index][1][2:]
                if rest[:1] not in "{[\"" and re.match(r"[\w./-]+:( |$)", rest):
                    lines[index] = (indent + 2, rest)
                    value, index = block(index, indent + 2)
                else:
                    value, index = value_of(rest), index + 1
                items.append(value)
            return items, index
        found = {}
        while index < len(lines) and lines[index][0] == indent:
            match = re.match(r"([\w./-]+):(?: (.*))?$", lines[index][1])
            if not match or match[1] in found:
                raise ValueError(f"not a new member: {lines[index][1]}")
            if match[2]:
                found[match[1]], index = value_of(match[2]), index + 1
            else:
                if index + 1 >= len(lines) or lines[index + 1][0] <= indent:
                    found[match[1]], index = None, index + 1
                else:
                    found[match[1]], index = block(index + 1, lines[index + 1][0])
        if index < len(lines) and lines[index][0] > indent:
            raise ValueError(f"indented too far: {lines[index][1]}")
        return found, index

    value, index = block(0, lines[0][0])
    if index != len(lines):
        raise ValueError(f"not read: {lines[index][1]}")
    return value


# ---- templates, as far as the chart uses them -----------------------------------------------------------------------------------

def look_up(scope, path):
    for name in path.strip(".").split("."):
        if not isinstance(scope, dict) or name not in scope:
            raise KeyError(path)
        scope = scope[name]
    return scope


def evaluate(expression, scope):
    match = re.fullmatch(r"(?:required \"([^\"]+)\" )?(\.[\w.]+)( \| quote)?", expression)
    if not match:
        raise ValueError(f"the renderer does not know {{{{ {expression} }}}}")
    value = look_up(scope, match[2])
    if match[1] and not value:
        raise ValueError(match[1])
    return f'"{value}"' if match[3] else str(value)


def condition(expression, scope):
    match = re.fullmatch(r"(gt|lt) \(int (\.[\w.]+)\) (\d+)", expression)
    if not match:
        return bool(look_up(scope, expression))
    return (operator.gt if match[1] == "gt" else operator.lt)(int(look_up(scope, match[2])), int(match[3]))


def render(text, scope):
    parts = re.split(r"(?:\n)?\{\{- (.*?) \}\}", text)
    out, at = [parts[0]], 1

    def section(at, scope, live):
        while at < len(parts):
            word, _, rest = parts[at].partition(" ")
            body = parts[at + 1]
            if word in ("end", "else"):
                return at, body
            if word == "if":
                holds = condition(rest, scope)
                if live and holds:
                    out.append(body_text(body, scope))
                at, tail = section(at + 2, scope, live and holds)
                if parts[at] == "else":
                    if live and not holds:
                        out.append(body_text(tail, scope))
                    at, tail = section(at + 2, scope, live and not holds)
            elif word == "range":
                start = at
                items = look_up(scope, rest) if live else []
                end = start
                for item in items or [None]:
                    if item is not None:
                        out.append(body_text(body, item))
                    end, tail = section(start + 2, item or scope, item is not None)
                at = end
            else:
                raise ValueError(f"the renderer does not know {word}")
            if live:
                out.append(body_text(tail, scope))
            at += 2
        return at, ""

    def body_text(body, scope):
        return re.sub(r"\{\{ (.*?) \}\}", lambda match: evaluate(match[1], scope), body)

    out[0] = body_text(out[0], scope)
    section(at, scope, True)
    return "".join(out)


class Chart(unittest.TestCase):
    def values(self, **more):
        with open(os.path.join(CHART, "values.yaml"), encoding="utf-8") as file:
            return {**parse(file.read()), **more}

    def manifests(self, **more):
        scope = {"Values": self.values(**more), "Release": {"Name": "pawl"}}
        found = {}
        folder = os.path.join(CHART, "templates")
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = render(file.read(), scope)
            self.assertNotIn("{{", text, name)
            if text.strip():
                manifest = parse(text)
                found[manifest["kind"]] = manifest
        return found

    def test_every_template_renders(self):
        found = self.manifests()
        self.assertEqual(sorted(found), ["Deployment", "PersistentVolumeClaim", "PodDisruptionBudget", "Service", "ServiceAccount"])
        found = self.manifests(ingress={"enabled": True, "className": "nginx", "host": "pawl.example.org", "tlsSecret": "tls"})
        self.assertEqual(found["Ingress"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"], found["Service"]["metadata"]["name"])

    def test_the_pod_has_no_rights_and_one_replica(self):
        spec = self.manifests()["Deployment"]["spec"]
        self.assertEqual((spec["replicas"], spec["strategy"]), (1, {"type": "Recreate"}))
        pod = spec["template"]["spec"]
        self.assertIs(pod["securityContext"]["runAsNonRoot"], True)
        self.assertGreater(pod["securityContext"]["runAsUser"], 0)
        self.assertIs(pod["automountServiceAccountToken"], False)
        container = pod["containers"][0]
        self.assertEqual(container["securityContext"], {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                        "capabilities": {"drop": ["ALL"]}})
        self.assertIn("memory", container["resources"]["limits"])

    # proves: O5
    def test_several_replicas_have_folders_of_their_own_and_do_not_wait_for_each_other(self):
        found = self.manifests(replicas=2)
        self.assertEqual(sorted(found), ["Deployment", "Service", "ServiceAccount"])
        spec = found["Deployment"]["spec"]
        self.assertEqual((spec["replicas"], spec["strategy"]["rollingUpdate"]), (2, {"maxSurge": 1, "maxUnavailable": "100%"}))
        pod = spec["template"]["spec"]
        self.assertEqual({volume["name"]: volume.get("emptyDir") for volume in pod["volumes"]}, {"data": {}, "tmp": {}})
        self.assertEqual(pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"], spec["selector"]["matchLabels"])
        container = pod["containers"][0]
        self.assertEqual(container["readinessProbe"]["httpGet"]["path"], "/health/readiness")
        self.assertEqual(container["livenessProbe"]["httpGet"]["path"], "/health/liveness")

    def test_names_and_labels_fit_together(self):
        found = self.manifests()
        pod = found["Deployment"]["spec"]["template"]
        labels = pod["metadata"]["labels"]
        for selector in (found["Deployment"]["spec"]["selector"]["matchLabels"], found["Service"]["spec"]["selector"],
                         found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]):
            self.assertEqual(selector, labels)
        self.assertEqual(pod["spec"]["serviceAccountName"], found["ServiceAccount"]["metadata"]["name"])
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        self.assertEqual(volumes["data"]["persistentVolumeClaim"]["claimName"], found["PersistentVolumeClaim"]["metadata"]["name"])
        container = pod["spec"]["containers"][0]
        self.assertEqual({mount["name"] for mount in container["volumeMounts"]}, set(volumes))
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            self.assertIn(container[probe]["httpGet"]["port"], ports)
            self.assertTrue(container[probe]["httpGet"]["path"].startswith("/health/"))
        self.assertIn(found["Service"]["spec"]["ports"][0]["targetPort"], ports)

    def test_nobody_is_believed_to_speak_for_a_client_unless_named(self):
        container = self.manifests()["Deployment"]["spec"]["template"]["spec"]["containers"][0]
        self.assertEqual([entry["value"] for entry in container["env"] if entry["name"] == "PAWL_TRUSTED_PROXIES"], [""])

    def test_secrets_come_from_a_secret_and_settings_exist(self):
        with self.assertRaises(ValueError):
            self.manifests(existingSecret="")
        container = self.manifests(settings=[{"name": "LOG_LEVEL", "value": "warning"}])["Deployment"]["spec"]["template"]["spec"]["containers"][0]
        self.assertEqual(container["envFrom"], [{"secretRef": {"name": "pawl"}}])
        settings = {entry["name"]: entry["value"] for entry in container["env"]}
        self.assertEqual(settings["LOG_LEVEL"], "warning")
        with open(os.path.join(SOURCE, ".env.example"), encoding="utf-8") as file:
            known = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", file.read(), re.M))
        self.assertLessEqual(set(settings), known)
        for name in settings:
            self.assertNotRegex(name, "SECRET|KEY|TOKEN|PASSWORD|DATABASE_URL")

    def test_helm_takes_it(self):
        if not shutil.which("helm"):
            print("SKIPPED: not tested: helm is not installed", file=sys.stderr)
            self.skipTest("helm is not installed")
        done = subprocess.run(["helm", "lint", CHART], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
