"""What in an environment weakens the numbers, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.results import Caveat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.results import Environment

GIB = 2**30
LITTLE_SPACE = 5 * GIB
BUSY = 0.25  # share of the CPUs
STEAL = 0.01
# Reading these is a memory access or a call into the hypervisor, not a device access (Documentation/timers).
FAST_CLOCKS = frozenset({"tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "xen"})


def caveats(
    environment: Environment, *, steal: float | None = None, reporting: bool = False
) -> tuple[Caveat, ...]:
    """Return the caveats of `environment`.

    `steal` is the share of CPU time stolen since boot; `reporting`, whether free pages go to a hypervisor.
    """
    return (*_processor(environment, steal), *_memory(environment, reporting=reporting), *_rest(environment))


def _processor(environment: Environment, steal: float | None) -> Iterator[Caveat]:
    cpu, load = environment.cpu, environment.load
    if cpu.governor in {"powersave", "ondemand", "conservative", "schedutil"}:
        yield Caveat(
            code="governor",
            text=f"the CPU frequency governor is {cpu.governor}: the clock rate changes while we measure",
            remedy="cpupower frequency-set -g performance",
        )
    if environment.virtualization not in {None, "none"}:
        yield Caveat(
            code="nested",
            text=f"this host is itself a virtual machine ({environment.virtualization}): "
            "guests on it are nested, and its neighbours are unknown",
            remedy="repeat on bare metal before quoting absolute numbers",
        )
    if steal is not None and steal > STEAL:
        yield Caveat(
            code="steal",
            text=f"the hypervisor under this host took {steal:.1%} of its CPU time since boot",
            remedy="use a host with dedicated CPUs",
        )
    if load and cpu.count and load[0] > BUSY * cpu.count:
        yield Caveat(
            code="busy",
            text=f"the load average is {load[0]:.2f} on {cpu.count} CPUs before anything was started",
            remedy="stop other programs and run again",
        )
    if cpu.count == 1:
        yield Caveat(
            code="one-cpu",
            text="there is one CPU: the harness and what it measures take turns on it",
            remedy="use a host with two CPUs or more",
        )


def _memory(environment: Environment, *, reporting: bool) -> Iterator[Caveat]:
    memory = environment.memory
    if reporting:
        yield Caveat(
            code="free-pages",
            text="this host hands free memory back to its hypervisor and waits for it when it is used again: "
            "what needs much new memory is slow, by what ran before it",
            remedy="give the host's balloon device no free page reporting, or repeat on bare metal",
        )
    if environment.kernel.ksm == "1":
        yield Caveat(
            code="ksm",
            text="kernel samepage merging is on: memory of equal guests shrinks while we look at it",
            remedy="echo 2 > /sys/kernel/mm/ksm/run, then run again",
        )
    if memory.swap_used:
        yield Caveat(
            code="swap",
            text=f"{memory.swap_used / 2**20:.0f} MiB are swapped out: memory figures miss what moved there",
            remedy="swapoff -a, or free memory and run again",
        )


def _rest(environment: Environment) -> Iterator[Caveat]:
    free, clock = environment.storage.free, environment.kernel.clocksource
    if free is not None and free < LITTLE_SPACE:
        yield Caveat(
            code="disk",
            text=f"{free / GIB:.1f} GiB are free under the data root",
            remedy="tare image prune, or another --root",
        )
    if clock is not None and clock not in FAST_CLOCKS:
        yield Caveat(
            code="clock",
            text=f"the clock source is {clock}: reading the time is slow and coarse",
            remedy="boot with clocksource=tsc if the CPU's is stable",
        )
    if environment.cgroup == "none":
        yield Caveat(
            code="cgroup",
            text="no cgroup hierarchy is mounted: containers have no limits and no memory figures",
            remedy="mount -t cgroup2 none /sys/fs/cgroup",
        )
