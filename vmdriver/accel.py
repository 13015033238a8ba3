"""The proof of an accelerator: a guest that booted with it, to user space, within a time limit.

Nothing less will do. `/dev/kvm` may exist, open, and create machines that hang in early boot, as with a
host kernel whose KVM runs only guests made for it.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vmdriver import initramfs
from vmdriver.boot import CMDLINE
from vmdriver.channel import read_until
from vmdriver.errors import MachineFault
from vmdriver.files import replacing
from vmdriver.spec import GuestSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmdriver.hypervisor import Hypervisor
    from vmdriver.kernel import Kernel
    from vmdriver.spec import Acceleration, Cpu

Name = Literal["kvm", "kvm-nested", "tcg"]

_MARKER = b"\x1etare init"
NO_DEVICE = ["kvm: there is no /dev/kvm"]
_TOLD = 160  # characters of a complaint that fit beside a number
_KVM_LIMIT = 10.0
_TCG_LIMIT = 60.0


@dataclass(frozen=True)
class Attempt:
    """One guest: whether it booted, in how many seconds from request to user space, and what was seen."""

    accelerator: Acceleration
    cpu: Cpu
    booted: bool
    seconds: float
    text: str


@dataclass(frozen=True)
class Accelerator:
    """What guests run on here, and how that is known.

    `seconds` is the time from the request to the first instruction of user space of the guest that is
    the proof. `kvm-nested` is KVM on a host that is a virtual machine itself. `key` names what the proof
    holds for: the versions of QEMU, libvirt and both kernels, and the CPU.
    """

    name: Name
    proof: str
    seconds: float
    cpu: Cpu
    attempts: tuple[Attempt, ...]
    key: dict[str, str]
    cached: bool = False

    @property
    def acceleration(self) -> Acceleration:
        """What a GuestSpec is given."""
        return "tcg" if self.name == "tcg" else "kvm"


def prove(
    hypervisor: Hypervisor,
    data: Path,
    kernel: Kernel,
    *,
    refresh: bool = False,
    limit: float = _KVM_LIMIT,
    progress: Callable[[str], None] = lambda _: None,
) -> Accelerator:
    """Return the accelerator of this host, proven by booting, or from an earlier proof that still holds.

    A guest under KVM has `limit` seconds; then it is ended, and emulation has to prove itself.
    Raises MachineFault, kind `host`, if no guest boots at all.
    """
    key = _key(hypervisor, kernel)
    known = None if refresh else _load(data, key)
    if known:
        return known
    attempts: list[Attempt] = []
    for acceleration, cpu, seconds in _trials(limit):
        if acceleration == "kvm" and any(attempt.booted for attempt in attempts):
            continue
        progress(f"booting a guest with {acceleration}, {cpu} CPU model, for at most {seconds:g} s")
        attempts.append(_attempt(hypervisor, _probe(data, kernel, acceleration, cpu), seconds))
    found = conclude(tuple(attempts), key, nested="hypervisor" in _cpuinfo("flags").split())
    with replacing(_place(data)) as fresh:
        fresh.write_text(json.dumps(asdict(found), indent=1))
    return found


def _trials(limit: float) -> tuple[tuple[Acceleration, Cpu, float], ...]:
    """Return what to try, best first. A CPU model that is too much for KVM doesn't speak against KVM."""
    if not Path("/dev/kvm").exists():
        return (("tcg", "full", _TCG_LIMIT),)
    return (("kvm", "full", limit), ("kvm", "basic", limit), ("tcg", "full", _TCG_LIMIT))


def conclude(attempts: tuple[Attempt, ...], key: dict[str, str], *, nested: bool) -> Accelerator:
    """Choose the first attempt that booted; the proof also says why those before it were refused."""
    for position, attempt in enumerate(attempts):
        if attempt.booted:
            name: Name = "kvm-nested" if attempt.accelerator == "kvm" and nested else attempt.accelerator
            refused = [before.text for before in attempts[:position]] or NO_DEVICE[
                : attempt.accelerator == "tcg"
            ]
            proof = "; ".join([attempt.text, *refused])
            return Accelerator(name, proof, attempt.seconds, attempt.cpu, attempts, key)
    raise MachineFault(
        "no guest boots here: " + "; ".join(attempt.text for attempt in attempts),
        kind="host",
        hint="see that qemu-system-x86_64 runs, and that 256 MiB of memory are free",
    )


def _probe(data: Path, kernel: Kernel, acceleration: Acceleration, cpu: Cpu) -> GuestSpec:
    return GuestSpec(
        name=f"probe-{acceleration}-{os.getpid()}",
        flavour="vm",
        memory=256 << 20,
        cpus=1,
        accelerator=acceleration,
        kernel=kernel.image,
        initrd=initramfs.for_probe(data, port=1),
        cmdline=CMDLINE,
        cpu=cpu,
    )


def _attempt(hypervisor: Hypervisor, spec: GuestSpec, limit: float) -> Attempt:
    what = f"{spec.accelerator}, {spec.cpu} CPU model"
    start = time.monotonic()
    try:
        with hypervisor.start(spec) as guest:
            booted, said = read_until(guest.agent, _MARKER, limit, also=guest.console)
            seconds = time.monotonic() - start
    except MachineFault as err:
        if err.kind == "host":
            raise
        seconds, text = time.monotonic() - start, f"{what}: {_shortened(str(err))}"
        return Attempt(spec.accelerator, spec.cpu, booted=False, seconds=seconds, text=text)
    text = _told(what, seconds, said, booted=booted)
    return Attempt(spec.accelerator, spec.cpu, booted=booted, seconds=seconds, text=text)


def _shortened(complaint: str) -> str:
    """Keep the end of a long complaint of libvirt's from the first error that QEMU told."""
    told = complaint.partition("qemu-system-x86_64: ")[2] or complaint
    return told if len(told) <= _TOLD else f"{told[:_TOLD]}…"


def _told(what: str, seconds: float, said: bytes, *, booted: bool) -> str:
    if booted:
        return f"{what}: a guest reached user space in {seconds:.1f} s"
    lines = said.decode(errors="replace").strip().splitlines()
    last = f"its last line was {lines[-1].strip()[:120]!r}" if lines else "its kernel said nothing"
    return f"{what}: a guest had not reached user space after {seconds:.1f} s and was ended; {last}"


def _key(hypervisor: Hypervisor, kernel: Kernel) -> dict[str, str]:
    host = {"host kernel": os.uname().release, "guest kernel": kernel.package, "cpu": _cpuinfo("model name")}
    return host | hypervisor.connection.versions() | {"uri": hypervisor.connection.uri.partition("?")[0]}


def _cpuinfo(field: str) -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(field):
            return line.partition(":")[2].strip()
    return ""


def _place(data: Path) -> Path:
    return data / "vm/accelerator.json"


def _load(data: Path, key: dict[str, str]) -> Accelerator | None:
    """Return the stored proof if it is about the same machine and versions. A damaged one is proven again."""
    try:
        stored = json.loads(_place(data).read_text())
        if stored["key"] != key:
            return None
        attempts = tuple(Attempt(**attempt) for attempt in stored["attempts"])
        return Accelerator(
            stored["name"], stored["proof"], stored["seconds"], stored["cpu"], attempts, key, cached=True
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
