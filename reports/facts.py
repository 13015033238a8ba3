"""Words about a run: the sentence at its top, the host, and the notices that a reader must see first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reports import quality, units
from reports.charts.memory import costs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.stats import Estimate
    from reports.model import View

REST_LIMIT = 0.05
NOTHING = "No sample counted, so this report holds no number."


@dataclass(frozen=True)
class Notice:
    """Something that limits what may be concluded; `remedy` may be empty."""

    text: str
    remedy: str
    severe: bool = False


def summary(view: View) -> str:
    """Return the result that most people come for, a sentence a scenario."""
    if not any(s.estimate for s in view.summaries):
        return NOTHING
    boxes = _list([box.label for box in view.measured.values()])
    ready, memory = _ready(view), _memory(view)
    other = [] if ready or memory else [f"Measured: {_list(list(view.scenarios))}, on {boxes}."]
    return " ".join([*ready, *other, *quality.limits(view), *memory])


def _ready(view: View) -> list[str]:
    parts = [f"{view.boxes[s.target].label} in {units.quantity(s.estimate.value, 's')}"
             for s in view.of("startup", "ready") if s.estimate]  # fmt: skip
    return [f"Ready to answer, by the median: {_list(parts)}."] if parts else []


def _memory(view: View) -> list[str]:
    parts = [f"{view.boxes[name].label} {_footprint(lines)}"
             for name, lines in costs(view).items() if "pss" in lines]  # fmt: skip
    return [f"Memory of one more idle instance (PSS and kernel memory): {_list(parts)}."] if parts else []


def _footprint(lines: Mapping[str, Estimate]) -> str:
    if "footprint" in lines:
        return units.quantity(lines["footprint"].value, "B")
    return f"{units.quantity(lines['pss'].value, 'B')} (its kernel memory is not accounted for)"


def notices(view: View) -> list[Notice]:
    """Return what a reader must know before any number, the gravest first."""
    return [
        *_unfinished(view),
        *_cold(view),
        *_emulation(view),
        *_failures(view),
        *_rests(view),
        *_warnings(view),
    ]


def _unfinished(view: View) -> list[Notice]:
    if view.run.finished is not None:
        return []
    text = "This run did not end in order: what follows is what it had measured until then."
    return [Notice(text, "Repeat it with the command under “Method and raw data”.", severe=True)]


def _cold(view: View) -> list[Notice]:
    if not any(m.params.get("cold") for m in view.run.measurements):
        return []
    text = (
        "Cold starts: before each one the image's files were dropped from the page cache, and that no page "
        "of them was left was verified. The host's own programs stayed warm."
    )
    return [Notice(text, "Compare them with cold starts only.")]


def _emulation(view: View) -> list[Notice]:
    if not view.emulated:
        return []
    names = _list([box.label for box in view.emulated])
    return [
        Notice(
            f"{names}: these guests ran under emulation (TCG). Hardware virtualization is faster, "
            "so their times are upper bounds: a start that is fast enough here stays fast; a slow one, and "
            "any rate of work, says nothing about hypervisors.",
            "Run on a host whose KVM boots a guest; `tare vm check` finds out.",
            severe=True,
        )
    ]


def _failures(view: View) -> list[Notice]:
    count = len(view.run.failures)
    if not count:
        return []
    words = "start or measurement" if count == 1 else "starts or measurements"
    return [
        Notice(
            f"{count} {words} failed and gave no sample.", "Read their messages under “Method and raw data”."
        )
    ]


def rests(view: View) -> dict[str, float]:
    """Return the unexplained rest at the largest N of each target, as a share of what should be explained.

    That is the drop of MemAvailable or what the cgroups charge, whichever is larger: on a noisy host memory
    can become free while instances start, and that is where the ledger fits worst.
    """
    found: dict[str, float] = {}
    drops = {(s.target, s.params.get("n")): s.estimate for s in view.of("memory", "mem_available_drop")}
    ordered = sorted(view.of("memory", "unexplained"), key=lambda s: float(s.params.get("n", 0)))
    for s in ordered:
        drop = drops.get((s.target, s.params.get("n")))
        if s.estimate is None or drop is None:
            continue
        whole = max(abs(drop.value), drop.value - s.estimate.value)  # the second is what the cgroups charge
        if whole > 0:
            found[s.target] = s.estimate.value / whole
    return found


def _rests(view: View) -> list[Notice]:
    large = [f"{view.boxes[name].label} {units.percent(share)}" for name, share in rests(view).items()
             if abs(share) > REST_LIMIT]  # fmt: skip
    if not large:
        return []
    return [
        Notice(
            f"The memory ledger does not add up within 5 %: unexplained rest {_list(large)}.",
            "Repeat on a quieter host, or with more instances: the drop of MemAvailable is host-wide.",
        )
    ]


def _warnings(view: View) -> list[Notice]:
    # The emulation has its own notice above, in full.
    shown = [w for w in view.run.warnings if not (w.code == "emulated" and view.emulated)]
    return [Notice(_sentence(w.text), _sentence(w.remedy)) for w in shown]


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text else text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def host(view: View) -> list[tuple[str, str]]:
    """Return the facts of the host as pairs of words; what the host doesn't tell is left out."""
    env = view.run.environment
    pairs = [
        ("processor", _join(env.cpu.model, env.cpu.architecture, _count(env.cpu.count, "CPU"))),
        ("frequency governor", env.cpu.governor),
        ("memory", _bytes(env.memory.total)),
        ("swap", _bytes(env.memory.swap_total) if env.memory.swap_total else "none"),
        ("host runs on", "bare metal" if env.virtualization == "none" else _under(env.virtualization)),
        ("distribution", env.distribution),
        ("kernel", _join(env.kernel.release, env.kernel.version)),
        ("cgroups", env.cgroup),
        ("clock source", env.kernel.clocksource),
        ("huge pages", env.kernel.transparent_hugepages),
        ("KSM", {"0": "off", "1": "on"}.get(env.kernel.ksm or "", env.kernel.ksm)),
        ("data on", _join(env.storage.filesystem, env.storage.options)),
        ("load before", ", ".join(f"{load:g}" for load in env.load)),
        ("versions", ", ".join(f"{name} {version}" for name, version in env.versions.items())),
        ("not readable here", ", ".join(env.unavailable)),
    ]
    return [(name, words) for name, words in pairs if words]


def when(view: View) -> str:
    """Return the start and the length of the run."""
    begin = _time(view.run.started)
    if begin is None:
        return view.run.started
    words = begin.strftime("%d %B %Y, %H:%M %Z").lstrip("0")
    end = _time(view.run.finished) if view.run.finished else None
    return f"{words}, {_length((end - begin).total_seconds())}" if end else f"{words}, not finished"


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _list(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _join(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _count(number: int | None, noun: str) -> str:
    return "" if number is None else f"{number} {noun}{'' if number == 1 else 's'}"


def _bytes(amount: int | None) -> str:
    return "" if amount is None else units.quantity(amount, "B")


def _under(name: str | None) -> str:
    return f"a virtual machine ({name})" if name else ""
