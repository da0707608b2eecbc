#!/usr/bin/env python3
"""`pipe init` on fresh scaffolds of the tools themselves, with the network.

For each: make it, `pipe init`, `pipe check --strict`, `pipe run`, which must build; again, which must
find all up to date, without an edit between; and after an edit of one source, which must build again.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

CMAKE = """cmake_minimum_required(VERSION 3.16)
project(hello C)
include(CTest)
add_subdirectory(lib)
add_executable(${PROJECT_NAME} main.c)
target_link_libraries(hello PRIVATE greet)
add_test(NAME runs COMMAND hello)
"""

# The generator of Astro takes its templates from where no package registry is, so this is its smallest one.
ASTRO = """{ "name": "pages", "type": "module", "version": "0.0.1",
  "scripts": { "dev": "astro dev", "build": "astro build" }, "dependencies": { "astro": "^5.0.0" } }
"""

# The generator's own takes fonts from the network.
LAYOUT = """export default function Layout({ children }: { children: React.ReactNode }) {
  return <html lang="en"><body>{children}</body></html>
}
"""

NEXT = "--ts --eslint --app --no-tailwind --src-dir --use-npm --skip-install --disable-git --no-react-compiler --yes"


def scaffold(*commands, edit, files=None, steps):
    """How a project is made, which file is edited, and the steps that run then."""
    return {"commands": commands, "edit": edit, "files": files or {}, "steps": steps}


SCAFFOLDS = {
    "cargo-bin": scaffold("cargo new --quiet PLACE", edit="src/main.rs", steps={"build", "test"}),
    "cargo-lib": scaffold("cargo new --quiet --lib PLACE", edit="src/lib.rs", steps={"build", "test"}),
    "go": scaffold(
        "mkdir PLACE && cd PLACE && go mod init example.com/hello",
        files={"main.go": "package main\n\nfunc main() { println(\"hello\") }\n"},
        edit="main.go",
        steps={"build", "test"},
    ),
    "cmake": scaffold(
        "mkdir -p PLACE",
        files={
            "CMakeLists.txt": CMAKE,
            "lib/CMakeLists.txt": "add_library(greet STATIC greet.c)\n",
            "lib/greet.c": "int greet(void) { return 0; }\n",
            "main.c": "int greet(void);\nint main(void) { return greet(); }\n",
        },
        edit="lib/greet.c",
        steps={"build", "test"},
    ),
    "poetry-new": scaffold("poetry new --quiet PLACE", edit="src/poetry_new/__init__.py", steps={"build"}),
    "uv-init": scaffold("uv init --quiet --package --build-backend hatch --vcs none PLACE && cd PLACE && uv lock --quiet", edit="src/uv_init/__init__.py", steps={"build"}),
    "pip": scaffold(
        "mkdir -p PLACE/tests",
        files={"requirements.txt": "pytest\n", "tests/test_one.py": "def test_one():\n    assert True\n"},
        edit="tests/test_one.py",
        steps={"test"},
    ),
    "vite-vanilla": scaffold(
        "npm create --yes vite@latest PLACE -- --template vanilla --no-interactive", edit="src/main.js", steps={"build"}
    ),
    "vite-react-ts": scaffold(
        "npm create --yes vite@latest PLACE -- --template react-ts --no-interactive", edit="src/main.tsx", steps={"build"}
    ),
    "astro": scaffold(
        "mkdir -p PLACE",
        files={
            "package.json": ASTRO,
            "astro.config.mjs": "import { defineConfig } from 'astro/config';\nexport default defineConfig({});\n",
            "src/pages/index.astro": "---\n---\n<html><body><h1>Hello</h1></body></html>\n",
        },
        edit="src/pages/index.astro",
        steps={"build"},
    ),
    "next": scaffold(
        f"npx --yes create-next-app@latest PLACE {NEXT}",
        files={"src/app/layout.tsx": LAYOUT},
        edit="src/app/page.tsx",
        steps={"build"},
    ),
    "sveltekit": scaffold(
        "npx --yes sv create PLACE --template minimal --types ts --no-add-ons --no-install",
        edit="src/routes/+page.svelte",
        steps={"build"},
    ),
}


class Place:
    """A scaffold in a folder of its own, with a store of its own."""

    def __init__(self, name, base, pipe, path):
        self.name, self.folder, self.pipe = name, base / name, pipe
        shutil.rmtree(base / f"{name}.cache", ignore_errors=True)
        self.env = dict(os.environ, PATH=path, PIPE_CACHE_DIR=str(base / f"{name}.cache"), NO_COLOR="1", CI="true")

    def sh(self, command, folder):
        done = subprocess.run(["sh", "-ec", command], cwd=folder, env=self.env, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise SystemExit(f"{self.name}: `{command}` ended with {done.returncode}\n{done.stdout}")
        return done.stdout

    def run(self):
        """The steps that `pipe run` executed, and the diagnostics that it had."""
        lines = self.sh(f"{self.pipe} run --json 2>/dev/null || {{ {self.pipe} run; exit 1; }}", self.folder).splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        said = [event["message"] for event in events if event["event"] == "diagnostic"]
        done = [event for event in events if event["event"] == "step_finished"]
        ran = {event["step"].split(":")[1] for event in done if event["outcome"] == "executed"}
        return ran, said

    def expect(self, what, found, wanted):
        if found != wanted:
            raise SystemExit(f"{self.name}: {what}: {found}, wanted {wanted}\n{(self.folder / 'pipe.yaml').read_text()}")

    def play(self, scaffold, base):
        for command in scaffold["commands"]:
            self.sh(command.replace("PLACE", self.folder.name), base)
        for path, text in scaffold["files"].items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        self.sh(f"{self.pipe} init && {self.pipe} check --strict", self.folder)
        first, said = self.run()
        self.expect("said at the first run", said, [])
        self.expect("missing from the first run", scaffold["steps"] - first, set())
        again, said = self.run()
        self.expect("executed by the second run", again, set())
        with (self.folder / scaffold["edit"]).open("a") as file:
            file.write("\n")
        after, _ = self.run()
        self.expect("missing from the run after an edit", scaffold["steps"] - after, set())


def lenient_npm(path):
    """An npm whose `ci` goes without optional packages that the registry does not have."""
    path.write_text(f'''#!/bin/sh
case "$1" in ci) shift; set -- install --no-save "$@" ;; esac
exec {shutil.which("npm")} "$@"
''')
    path.chmod(0o755)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipe", type=Path, required=True)
    parser.add_argument("--keep", type=Path, help="work in this folder, and leave it")
    parser.add_argument("--lenient-npm", action="store_true", help="for registries without packages of other platforms")
    parser.add_argument("names", nargs="*", default=list(SCAFFOLDS), metavar="SCAFFOLD")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        base = (args.keep or Path(temp)).resolve()
        base.mkdir(parents=True, exist_ok=True)
        tools = base / "tools"
        if not tools.exists():
            subprocess.run([sys.executable, "-m", "venv", tools], check=True)
            subprocess.run([tools / "bin/pip", "install", "--quiet", "-r", HERE / "tools.txt"], check=True)
        if args.lenient_npm:
            lenient_npm(tools / "bin/npm")
        path = f"{tools / 'bin'}:{os.environ['PATH']}"
        for name in args.names:
            Place(name, base, args.pipe.resolve(), path).play(SCAFFOLDS[name], base)
            print(f"{name}: builds, is up to date, builds again", flush=True)


if __name__ == "__main__":
    main()
