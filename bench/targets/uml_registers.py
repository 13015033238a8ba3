"""Registers of a processor that a User-mode Linux does not know: a library completes what it writes.

Before Linux 6.13 it keeps a processor's state in a buffer of fixed size, and ptrace(2) takes all or nothing:
where the processor has AMX its first program dies.
"""

import subprocess
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.targets.program import Program, tail

COMPILER = Program("cc", "gcc")
OPTIONS = ("-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror")
MENDED = (6, 13)
FLAG = "amx_tile"
SEPARATORS = frozenset(" :")
"""Between the names in LD_PRELOAD (ld.so(8))."""


def needed(version: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether this processor has more state than a User-mode Linux of `version` (6.1.176) can write."""
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")), "")
    numbers = tuple(int(word) if word.isdecimal() else 0 for word in version.split(".")[:2])
    return FLAG in flags.split() and numbers < MENDED


def library(data: Path) -> Path:
    """Return the library, compiled once below `data`; OSError where there is no compiler, or it refuses."""
    source = files("bench.targets").joinpath("uml_registers.c").read_bytes()
    path = data / "uml" / f"{sha256(source).hexdigest()[:16]}.so"
    if set(str(path)) & SEPARATORS:
        raise OSError(f"no library can be loaded from {path}: its path has a space or a colon")
    if path.exists():
        return path
    if COMPILER.missing:
        raise FileNotFoundError(COMPILER.missing)
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as place:
        fresh = Path(place) / "new.so"
        words = (COMPILER.path, *OPTIONS, "-x", "c", "-", "-o", str(fresh))
        done = subprocess.run(words, input=source, capture_output=True, check=False)
        if done.returncode:
            raise OSError(f"{COMPILER.name} refuses a library: {tail(done.stderr.decode(errors='replace'))}")
        fresh.rename(path)
    return path
