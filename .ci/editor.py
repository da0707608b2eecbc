#!/usr/bin/env python3
"""What an editor makes of the schema line at the top of a pipeline file.

Starts yaml-language-server (the language server behind most editors' YAML support) and asks it what a
person's editor would ask: which keys can stand here, what is wrong with this file. Usage:

    editor.py SERVER SCHEMA
"""

import json
import pathlib
import select
import subprocess
import sys
import tempfile

PATIENCE = 60  # seconds until an answer counts as missing

GOOD = """\
# yaml-language-server: $schema={schema}
name: api
steps:
  build:
    sources: [src/**]
    run: make
    
"""
BAD = GOOD + "  test:\n    cmd: make test\n"


class Server:
    """A language server on the other end of two pipes."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.number = 0
        self.notes = []

    def send(self, method, params, number=None):
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if number is not None:
            message["id"] = number
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def receive(self):
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            sys.exit(f"the language server did not answer within {PATIENCE} s")
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            sys.exit("the language server has ended")
        message = json.loads(self.process.stdout.read(length))
        if "id" in message and "method" in message:
            # It asks for the editor's settings: there are none.
            items = message.get("params", {}).get("items", [])
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": [None for _ in items]}
            body = json.dumps(answer).encode()
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self.process.stdin.flush()
        return message

    def ask(self, method, params):
        self.number += 1
        self.send(method, params, self.number)
        while True:
            message = self.receive()
            if message.get("id") == self.number and "method" not in message:
                if "error" in message:
                    sys.exit(f"{method}: {message['error']}")
                return message["result"]
            self.notes.append(message)

    def diagnostics(self, uri):
        while True:
            for note in self.notes:
                if note.get("method") == "textDocument/publishDiagnostics" and note["params"]["uri"] == uri:
                    self.notes.remove(note)
                    return note["params"]["diagnostics"]
            self.notes.append(self.receive())


def main():
    server_path, schema = sys.argv[1:]
    schema = pathlib.Path(schema).resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "pipeline.schema.json").write_bytes(schema.read_bytes())
        server = Server([server_path, "--stdio"])
        try:
            check(server, folder)
        finally:
            server.process.kill()
            server.process.wait()


def check(server, folder):
    root = folder.as_uri()
    server.ask("initialize", {
        "processId": None,
        "rootUri": root,
        "workspaceFolders": [{"uri": root, "name": "ws"}],
        "capabilities": {"textDocument": {"completion": {}, "hover": {}}},
    })
    server.send("initialized", {})
    good = opened(server, folder / "pipe.yaml", GOOD)
    keys = completions(server, good, 6, 4)
    for key in ["needs", "outputs", "matrix", "timeout", "cache"]:
        expect(key in keys, f"`{key}` is not offered in a step; offered are {sorted(keys)}")
    expect("run" not in keys, "`run` is offered although it is there")
    top = completions(server, good, 7, 0)
    for key in ["targets", "profiles", "vars"]:
        expect(key in top, f"`{key}` is not offered at the top; offered are {sorted(top)}")
    hover = server.ask("textDocument/hover", {"textDocument": {"uri": good}, "position": {"line": 4, "character": 6}})
    text = json.dumps(hover)
    expect("Globs of the files" in text, f"no description of `sources`: {text}")
    expect(server.diagnostics(good) == [], "a good file has complaints")
    bad = opened(server, folder / "bad.yaml", BAD)
    found = server.diagnostics(bad)
    expect(any("cmd" in one["message"] for one in found), f"an unknown key is not complained of: {found}")
    print("completion, descriptions and complaints work through the schema line")


def opened(server, path, text):
    text = text.replace("{schema}", "pipeline.schema.json")
    path.write_text(text)
    document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
    server.send("textDocument/didOpen", {"textDocument": document})
    return document["uri"]


def completions(server, uri, line, character):
    place = {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
    return {item["label"] for item in server.ask("textDocument/completion", place)["items"]}


def expect(holds, complaint):
    if not holds:
        sys.exit(complaint)


if __name__ == "__main__":
    main()
