"""What this process may do for a container: all that the host's root may, or what a user namespace allows.

Without root, everything of the engine runs as root of one user namespace (see `session`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.cgroups import mounts
from runtime.cgroups.location import delegated
from runtime.errors import RuntimeFault
from runtime.linux import userns

if TYPE_CHECKING:
    from runtime.engine.wanted import Wanted

_LIMITS = {
    "memory": "--memory", "memory_swap": "--memory-swap", "cpus": "--cpus", "cpu_shares": "--cpu-shares",
    "cpuset": "--cpuset-cpus", "pids": "--pids-limit",
}  # fmt: skip
_HINT = "see docs/explanation/rootless.md, or run it with sudo"


@dataclass(frozen=True)
class Rights:
    """`root`: the host's own; else `many`: more ids than the user's, `cgroup`: one that is his to divide."""

    root: bool
    many: bool
    cgroup: bool

    def check(self, wanted: Wanted) -> None:
        """Refuse by its option what takes more than a user namespace."""
        if self.root:
            return
        if wanted.network == "bridge" or wanted.publish:
            option = f"--publish {wanted.publish[0]}" if wanted.publish else "--network bridge"
            raise RuntimeFault(f"{option} needs root", kind="host", hint=f"use --network host; {_HINT}")
        self.check_limits([option for name, option in _LIMITS.items() if getattr(wanted, name)])
        if wanted.user and not self.many and wanted.user.partition(":")[0] not in {"0", "root"}:
            hint = "newuidmap and lines in /etc/subuid and /etc/subgid give you more"
            raise RuntimeFault(f"--user {wanted.user} needs more ids than your own", kind="host", hint=hint)

    def check_limits(self, options: list[str]) -> None:
        """Refuse limits where there is no cgroup to have them."""
        if options and not self.cgroup:
            hint = "systemd-run --user --scope -p Delegate=yes tare …, on cgroup v2"
            text = f"{options[0]} needs a cgroup that is delegated to this user"
            raise RuntimeFault(text, kind="host", hint=hint)


def rights() -> Rights:
    """Return those of this process."""
    if userns.privileged():
        return Rights(root=True, many=True, cgroup=True)
    return Rights(root=False, many=_many("gid_map"), cgroup=bool(delegated(mounts.find(), marked=False)))


def _many(name: str) -> bool:
    return sum(int(size) for size in Path(f"/proc/self/{name}").read_text("ascii").split()[2::3]) > 1
