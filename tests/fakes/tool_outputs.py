"""What the tools of the workload image print, and the counts in it."""

from pathlib import Path

from tests.fakes.fake_target import obedient

OUTPUTS = {path.stem: path.read_text() for path in Path(__file__).parent.glob("outputs/*.txt")}
COMMANDS = {
    "sysbench cpu": "integer",
    "sysbench memory": "memory-bandwidth",
    "--cpu-method": "floating-point",
    "timeout --foreground": "short-system-calls",
    "--switch": "context-switches",
    "--fork": "fork",
}
COUNTS = {
    "integer": 54680,
    "memory-bandwidth": 162,
    "floating-point": 1395,
    "short-system-calls": 1822618,
    "context-switches": 122893,
    "fork": 2231,
}
PRINTED = {part: OUTPUTS[name] for part, name in COMMANDS.items()}
TOOLS = obedient(PRINTED)
