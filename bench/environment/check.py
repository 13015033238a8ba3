"""Looks at the host for what would spoil numbers, for a second; it changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import exclusion
from bench.results import Caveat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.clock import Clock
    from bench.environment.host import Host
    from bench.sentinels import Sentinels

SECONDS = 1.0
STALLED = 0.05
PRESSURES = {
    "psi_cpu_some": (
        "cpu-pressure",
        "tasks waited for a CPU",
        "stop other programs, or use a host with more CPUs",
    ),
    "psi_io_some": (
        "io-pressure",
        "tasks waited for the disk",
        "wait until the disk is idle, or use another --root",
    ),
    "psi_memory_some": (
        "memory-pressure",
        "tasks waited for memory",
        "free memory: end programs, drop big tmpfs files",
    ),
}
REMEDIES = {
    "suspended": "keep the host awake: systemd-inhibit --what=sleep",
    "steal": "use a host with dedicated CPUs",
    "other-load": "stop other programs: `top` shows which",
    "memory-stall": "free memory: end programs, drop big tmpfs files",
    "throttled": "cool the machine, or lower its clock rate: cpupower frequency-set -u",
}


def observed(sentinels: Sentinels, clock: Clock) -> tuple[Caveat, ...]:
    """Watch the host while we do nothing, and return what would set samples aside or disturb them."""
    sentinels.start()
    sentinels.stop()
    clock.sleep(SECONDS)
    sentinels.start()  # what was busy in the gap is somebody else
    gap = sentinels.stop()
    sentinels.start()
    clock.sleep(SECONDS)
    seen = {**sentinels.stop(), **{key: value for key, value in gap.items() if key == "load_other"}}
    return (*_rules(seen), *_pressures(seen))


def _rules(seen: Mapping[str, float]) -> Iterator[Caveat]:
    for rule in exclusion.rules():
        value = seen.get(rule.key, 0.0)
        if value > rule.threshold:
            text = f"a run would set samples aside now: {rule.text} ({value:.2g})"
            yield Caveat(code=rule.code, text=text, remedy=REMEDIES[rule.code])


def _pressures(seen: Mapping[str, float]) -> Iterator[Caveat]:
    for key, (code, words, remedy) in PRESSURES.items():
        share = seen.get(key, 0.0)
        if share > STALLED:
            yield Caveat(
                code=code, text=f"{words} for {share:.0%} of a second in which we did nothing", remedy=remedy
            )


def modes(host: Host) -> Iterator[Caveat]:
    """Yield what makes the speed of a CPU depend on its neighbours or its heat."""
    boost = host.text("sys/devices/system/cpu/cpufreq/boost")
    turbo_off = host.text("sys/devices/system/cpu/intel_pstate/no_turbo")
    if boost == "1" or turbo_off == "0":
        path, value = ("cpufreq/boost", 0) if boost == "1" else ("intel_pstate/no_turbo", 1)
        yield Caveat(
            code="boost",
            text="the CPUs run faster than their nominal clock rate while they are cool and few are busy",
            remedy=f"echo {value} > /sys/devices/system/cpu/{path}",
        )
    if host.text("sys/devices/system/cpu/smt/active") == "1":
        yield Caveat(
            code="smt",
            text="two CPUs share a core (SMT): one slows the other down",
            remedy="echo off > /sys/devices/system/cpu/smt/control",
        )
    if host.text("proc/sys/kernel/nmi_watchdog") == "1":
        yield Caveat(
            code="watchdog",
            text="the NMI watchdog interrupts every CPU",
            remedy="sysctl kernel.nmi_watchdog=0",
        )
