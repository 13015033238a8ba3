"""AppArmor: whether the kernel has it, whether it knows a profile, and where a process asks for one.

A process asks for the profile of its next program by writing "exec PROFILE" to its own attr/exec.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH110, PTH123

from __future__ import annotations

import errno
import os

from runtime.errors import RuntimeFault

_ENABLED = "/sys/module/apparmor/parameters/enabled"
# The first is AppArmor's own since Linux 5.8; the second belongs to whichever security module comes first.
_DIRECTORIES = ("/proc/self/attr/apparmor", "/proc/self/attr")


def enabled() -> bool:
    """Whether the kernel has it switched on."""
    try:
        with open(_ENABLED, encoding="ascii") as file:
            return file.read(1) == "Y"
    except OSError:
        return False


def word(profile: str) -> bytes:
    """Return what has to be written to `exec` for a profile."""
    return b"exec " + os.fsencode(profile)


def directory() -> str:
    """Return the directory with the file `exec`."""
    return next((path for path in _DIRECTORIES if os.path.exists(f"{path}/exec")), _DIRECTORIES[-1])


def check(profile: str) -> None:
    """Raise a usage fault unless a process of this one's rights may change to the profile."""
    if not enabled():
        hint = "leave it out, or boot with apparmor=1 security=apparmor"
        raise RuntimeFault(
            f"process.apparmorProfile {profile}: this kernel has no AppArmor enabled", kind="usage", hint=hint
        )
    failure = _trial(profile)
    if failure:
        hint = "load it with apparmor_parser; /sys/kernel/security/apparmor/profiles lists what there is"
        raise RuntimeFault(
            f"process.apparmorProfile {profile}: {os.strerror(failure)}", kind="usage", hint=hint
        )


def _trial(profile: str) -> int:
    """Let a child ask for the profile, since what has been asked for can't be taken back; returns errno."""
    pid = os.fork()
    if pid == 0:
        failure = errno.EIO
        try:
            with open(f"{directory()}/exec", "wb", buffering=0) as file:
                file.write(word(profile))
            failure = 0
        except OSError as err:
            failure = err.errno or errno.EIO
        finally:
            os._exit(failure)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
