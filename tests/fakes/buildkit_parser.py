"""BuildKit's own Dockerfile parser as a program: a JSON string a line in, what it makes of it a line out.

It is the package `dockerfile`, which loads a Go runtime: such a process must not fork, so it has one of its
own. Its C strings end at the first NUL, and it shows an empty keyword as null.
"""

import json
import sys

import dockerfile


def seen(text):
    try:
        found = dockerfile.parse_string(text)
    except UnicodeDecodeError:
        return {"undecodable": True}  # it cut a flag inside a letter, and the binding cannot hand that over
    except ValueError as err:
        return {"error": str(err)}
    return {"nodes": [_node(command) for command in found]}


def _node(command):
    return {
        "keyword": command.cmd or "",
        "triggered": command.sub_cmd,
        "exec": command.json,
        "lines": [command.start_line, command.end_line],
        "flags": list(command.flags),
        "values": list(command.value),
        "heredocs": [[doc.name, doc.file_descriptor, doc.content] for doc in command.heredocs],
    }


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(seen(json.loads(line))) + "\n")
