#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Structure rules that no compiler checks: include arrows, budgets, words, files that must agree.

Runs as the test `tidy` and in ./dev lint; prints one line per finding and exits 1 if there is any.
"""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE = {".cpp", ".h", ".hpp", ".c"}
LINE_MAX = 120
FILE_LINES_MAX = 800

# What each folder of host/ may include besides itself. Arrows point downward only; see ARCHITECTURE.md.
LAYERS = {
    "base": set(),
    "crypto": {"base"},
    "http": {"base", "crypto"},
    "plugins": {"base"},
    "services": {"base", "crypto", "http"},
    "audience": {"base", "crypto", "plugins"},
    "policy": {"base"},
    "delivery": {"base", "crypto", "http", "plugins", "audience", "policy"},
    "telemetry": {"base"},
    "config": {"base"},
    "api": {"base", "crypto", "plugins", "audience", "delivery"},
    "serve": {"base", "api", "audience", "config", "crypto", "delivery", "http", "plugins", "services", "telemetry"},
    "cli": {"base", "crypto", "api", "config", "telemetry", "plugins"},
}
# The kit runs plugins as the host does; only the runner of the specifications lends them the host's services.
KIT_LAYERS = {
    "check": {"base", "plugins"},
    "contract": {"base", "plugins"},
    "provider": {"base", "plugins"},
    "conformance": set(),
    "conformance/runner": {"base", "services"},
}
POCO_FOLDERS = {"api", "cli"}
BANNED_NAMES = {"utils", "util", "common", "helpers", "helper", "misc"}
BANNED_WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\()")


def tracked_files():
    out = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                         cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in out.split("\0") if name and (ROOT / name).is_file()]


def includes_of(text):
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.M)


def check_arrows(path, text):
    parts = path.relative_to(ROOT).parts
    for target in includes_of(text):
        top = target.split("/")[0]
        if parts[0] == "host" and len(parts) > 2:
            folder = parts[1]
            if top in LAYERS and "/" in target and top != folder and top not in LAYERS[folder]:
                yield f"host/{folder} must not include {target}: arrows point downward only"
            if top == "Poco" and folder not in POCO_FOLDERS:
                yield f"host/{folder} must not include {target}: Poco stays in {', '.join(sorted(POCO_FOLDERS))}"
        if parts[0] == "plugins" and not path.name.endswith("_test.cpp") and "/" in target:
            allowed = top == "belfry" or target.startswith("shared/")
            if (ROOT / "host" / target).exists() and not allowed:
                yield f"a plugin includes only plugin_api and plugins/shared, not {target}"
        if parts[:2] == ("tools", "simulator") and ((ROOT / "host" / target).exists() or top == "belfry"):
            yield f"the simulator shares no code with the host: not {target}"
        if parts[0] == "kit" and len(parts) > 2 and (ROOT / "host" / target).exists():
            place = "/".join(parts[1:3]) if parts[1:3] == ("conformance", "runner") else parts[1]
            if top not in KIT_LAYERS[place]:
                yield f"kit/{place} must not include {target}: it is about plugins, not about the host's inside"
        if parts[0] == "plugin_api" and (ROOT / "host" / target).exists():
            yield f"plugin_api includes nothing of ours: not {target}"


def check_text(path, text):
    relative = path.relative_to(ROOT)
    if "SPDX-License-Identifier" not in text[:200]:
        yield "no SPDX line at the top"
    lines = text.split("\n")
    if len(lines) > FILE_LINES_MAX:
        yield f"{len(lines)} lines, budget {FILE_LINES_MAX}: split it by job"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_MAX and not path.name.endswith("_test.cpp"):  # vectors are one line each
            yield f"line {number} has {len(line)} columns, budget {LINE_MAX}"
        if relative.parts[:2] != ("tests", "tidy") and BANNED_WORDS.search(line):
            yield f"line {number}: a note for later without an issue number"
    if path.stem in BANNED_NAMES:
        yield "the name says nothing: name the thing"
    if relative.parts[0] in ("host", "plugins", "plugin_api") and not text.isascii():
        bad = next(n for n, line in enumerate(lines, 1) if not line.isascii())
        yield f"line {bad}: sources are ASCII"


ASSERTS = r"\b(?:EXPECT|ASSERT)_\w+\(|\bADD_FAILURE|\bFAIL\("


def body_at(text, brace):
    depth = 0
    for at in range(brace, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[brace:at]
    return text[brace:]


def asserting_helpers(path, text):
    """Functions and lambdas that assert, here or in a header of the tests that is included, or call one that does."""
    for target in includes_of(text):
        for place in (path.parent, ROOT / "tests", ROOT / "host", ROOT / "plugins", ROOT / "tools/simulator"):
            if (place / target).is_file():
                text += (place / target).read_text(errors="replace")
                break
    defined = {}
    for match in re.finditer(r"(\w+)(?: = \[[^\]]*\])?\((?:[^(){};]|\([^()]*\))*\)[^(){};=]*\{", text):
        if match.group(1) not in ("if", "for", "while", "switch", "TEST", "TEST_F", "TEST_P"):
            defined.setdefault(match.group(1), []).append(body_at(text, match.end() - 1))
    asserting = {name for name, bodies in defined.items() if any(re.search(ASSERTS, body) for body in bodies)}
    while True:
        calls = re.compile(r"\b(?:" + "|".join(sorted(asserting) or ["\0"]) + r")\(")
        more = {name for name, bodies in defined.items() if name not in asserting and any(calls.search(b) for b in bodies)}
        if not more:
            return asserting
        asserting |= more


def check_tests(path, text):
    """A test without an assertion cannot fail."""
    asserts = re.compile("|".join([ASSERTS] + [rf"\b{name}\b" for name in sorted(asserting_helpers(path, text))]))
    for match in re.finditer(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)\s*\{(.*?)^\}", text, re.M | re.S):
        if not asserts.search(match.group(3)):
            yield f"{match.group(1)}.{match.group(2)} asserts nothing"
    if re.search(r"\b(DISABLED_\w+|GTEST_SKIP\(\)\s*;)", text):
        yield "a test is switched off without a reason"


def check_code_map(files):
    """The map names every folder that has sources, and no other."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| `([\w./*-]+)` \| (.*) \|$", text[text.index("## Code map"):text.index("## Invariants")], re.M)
    places = {place: sentence for place, sentence in rows}
    named = set(places) | {f"tests/{word}" for word in re.findall(r"`(\w+)`", places.get("tests", ""))}
    folders = set()
    for path in files:
        parts = path.relative_to(ROOT).parts
        if path.suffix not in CODE | {".py"}:
            continue
        if parts[0] in ("host", "tests", "tools"):
            folders |= {"/".join(parts[:2])} if len(parts) > 2 else set()
        elif len(parts) > 1:
            folders |= {parts[0]}
    folders -= {"plugins", "build"}
    for folder in sorted(folders - named):
        yield f"says nothing about {folder}"
    for place in sorted(named - folders - {"plugins/*", "tests", "cmake"}):
        if not (ROOT / place).is_file():
            yield f"names {place}, which has no sources"


def check_references(files):
    """A document that is mentioned is there: by its path from the root or the mentioning file, or at least by its name."""
    names = {path.name for path in files if path.suffix == ".md"}
    for path in files:
        if path.suffix not in CODE | {".py", ".md", ".txt", ".cmake"} and path.name != "dev":
            continue
        for mention in sorted(set(re.findall(r"[\w./-]*\w\.md\b", path.read_text(errors="replace")))):
            found = any((place / mention.lstrip("/")).is_file() for place in (ROOT, path.parent))
            if not found and ("/" in mention or mention not in names):
                yield str(path.relative_to(ROOT)), f"mentions {mention}, which does not exist"


def check_agreements():
    version = re.search(r"project\(belfry VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
    changelog = (ROOT / "CHANGELOG.md").read_text()
    if not re.search(r"^## (Unreleased|" + re.escape(version) + r")", changelog, re.M):
        yield "CHANGELOG.md", f"its first entry is neither Unreleased nor {version}"
    plugin_h = (ROOT / "plugin_api/include/belfry/plugin.h").read_text()
    revision = int(re.search(r"#define BELFRY_DRAFT_REVISION (\d+)", plugin_h).group(1))
    for manifest in sorted(ROOT.glob("plugins/*/*.json")):
        said = json.loads(manifest.read_text())
        if said.get("draft_revision") != revision:
            yield str(manifest.relative_to(ROOT)), f"draft_revision is not the header's {revision}"
        source = manifest.parent / "plugin.cpp"
        if said.get("version") != version or f'"{version}"' not in source.read_text():
            yield str(manifest.relative_to(ROOT)), f"it and plugin.cpp do not both say the version of CMakeLists.txt, {version}"
    for message in check_code_map(tracked_files()):
        yield "ARCHITECTURE.md", message
    index = (ROOT / "docs/README.md").read_text()
    for note in sorted(p.name for p in (ROOT / "docs/design").glob("*.md")):
        if f"design/{note}" not in index:
            yield "docs/README.md", f"its list of decisions lacks design/{note}"
    for folder in sorted(p for p in (ROOT / "plugins").iterdir() if p.is_dir() and p.name != "shared" and any(p.glob("*.cpp"))):
        if not (folder / "README.md").exists():
            yield str(folder.relative_to(ROOT)), "a plugin folder has a README.md of ten lines"


def main():
    findings = []
    for path in tracked_files():
        if path.suffix not in CODE:
            continue
        text = path.read_text(errors="replace")
        checks = [check_arrows, check_text]
        if path.name.endswith("_test.cpp"):
            checks.append(check_tests)
        for check in checks:
            findings += [(str(path.relative_to(ROOT)), message) for message in check(path, text)]
    findings += list(check_references(tracked_files()))
    findings += list(check_agreements())
    for place, message in findings:
        print(f"{place}: {message}")
    print(f"tidy: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
