# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes the paths that GitHub's description of its webhooks has: what tests/payloads/paths.txt is.

    python3 payload_paths.py FOLDER-OF-NODE-MODULES >tests/payloads/paths.txt

Each line is an object of the payloads, once however many objects have it: its members, and after a
colon the number of the line of that member's object. `name[]` is a list, `*` an object with members
of any name. The lines at the end are the events. All actions of an event count.
"""

import json
import pathlib
import sys

PACKAGE = "@octokit/openapi"


class Reader:
    def __init__(self, schemas):
        self.schemas, self.numbers, self.lines, self.open = schemas, {}, [], []

    def resolve(self, schema):
        while "$ref" in schema:
            schema = self.schemas[schema["$ref"].rpartition("/")[2]]
        return schema

    def collect(self, schema, members, state):
        """Adds the members of a schema and of all its parts; what else it may be goes to `state`."""
        name = schema.get("$ref")
        if name:
            if name in self.open:
                state["any"] = True
                return
            self.open.append(name)
        schema = self.resolve(schema)
        for key, value in schema.get("properties", {}).items():
            members.setdefault(key, []).append(value)
        if schema.get("items"):
            state["items"].append(schema["items"])
        for kind in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(kind, []):
                self.collect(part, members, state)
        more = schema.get("additionalProperties")
        is_open = schema.get("type") == "object" and not any(
            key in schema for key in ("properties", "allOf", "anyOf", "oneOf", "additionalProperties"))
        if more or is_open or schema == {}:
            state["any"] = True
        if name:
            self.open.pop()

    def value(self, schemas):
        """What follows the name of a member: "" for a scalar, else "[]" for lists, and ":NUMBER"."""
        members, state = {}, {"any": False, "items": []}
        held = list(self.open)
        for schema in schemas:
            if "$ref" in schema:
                if schema["$ref"] in held:
                    state["any"] = True
                    continue
        for schema in schemas:
            if schema.get("$ref") not in held:
                self.collect(schema, members, state)
        names = [schema["$ref"] for schema in schemas if "$ref" in schema]
        self.open.extend(names)
        text = ""
        if state["items"]:
            text = "[]" + self.value(state["items"])
        elif members or state["any"]:
            parts = [key + self.value(found) for key, found in sorted(members.items())]
            line = " ".join(parts + (["*"] if state["any"] else []))
            if line not in self.numbers:
                self.lines.append(line)
                self.numbers[line] = len(self.lines)
            text = f":{self.numbers[line]}"
        del self.open[len(self.open) - len(names):]
        return text


def events_of(whole):
    """The schemas of the payloads of each event: {"issues": [...]}."""
    events = {}
    for webhook in whole["x-webhooks"].values():
        post = webhook["post"]
        event = post["operationId"].partition("/")[0].replace("-", "_")
        schema = post["requestBody"]["content"]["application/json"]["schema"]
        events.setdefault(event, []).append(schema)
    return events


def main():
    folder = pathlib.Path(sys.argv[1]) / PACKAGE
    whole = json.loads((folder / "generated/api.github.com.json").read_text(encoding="utf-8"))
    version = json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"]
    reader = Reader(whole["components"]["schemas"])
    events = {event: reader.value(schemas) for event, schemas in sorted(events_of(whole).items())}
    print("# SPDX-License-Identifier: MIT")
    print(f"# The paths in webhooks' payloads, from GitHub's description of its API: {PACKAGE} {version}.")
    print("# tests/conformance/payload_paths.py has made this file, and explains its form.")
    for line in reader.lines:
        print(line)
    for event, value in events.items():
        print(f"event {event}{value}")


if __name__ == "__main__":
    main()
