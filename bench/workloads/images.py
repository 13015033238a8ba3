"""The images that the scenarios run, each made once from the store's own: no registry is asked.

`agent` is busybox and the agent; `bench` is Debian with sysbench, stress-ng and the agent; `io` the same with
fio, iperf3 and sockperf; `machine` is `bench` with systemd, a kernel and what a boot loader needs, for the
machine that boots as a whole; `layers-base` is Debian with the agent, `layers-N` that with one small layer of
its own. `files-N` is `agent` with a layer of files of up to N MiB, `lookup-N` with N small layers.
"""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchFault
from bench.target import VOLUME
from bench.targets.drivers import Drivers
from bench.workloads import agent, stack
from bench.workloads.packages import change, install
from runtime.errors import RuntimeFault
from runtime.image.bootstrap import bootstrap
from runtime.image.commit import derive
from runtime.image.image import Image
from runtime.image.layer.entry import Entry, File, Symlink
from runtime.image.merged import Node, child, is_directory
from vmdriver.machine_image import machine_files

MACHINE = "machine"
UNIQUE = "/usr/share/tare/unique"
UNIQUE_BYTES = 1024 * 1024
TOOLS = ("sysbench", "stress-ng")
FILES = tuple(1024 * size for size in (4, 64, 1024, 16384, 65536, 262144, 1048576))
"""Sizes in bytes of the files at /data, each named after its own."""
FILL = f"mkdir /data {VOLUME}; for s in {{sizes}}; do yes 'not a hole' | head -c $s >/data/$s; done"
IO_TOOLS = ("fio", "iperf3", "sockperf")
SYSTEM = ("systemd-sysv", "udev", "dbus", "initramfs-tools", "zstd", "linux-image-cloud-amd64")


@dataclass(frozen=True, slots=True)
class Provided:
    """An image of the store, and the name that it has there."""

    reference: str
    image: Image


def provide(drivers: Drivers, workload: str, instead: str | None = None) -> Provided:
    """Return the image of `workload`, made if it is not there or its recipe has changed.

    `instead` names an image of the store that a user wants measured in its place.
    """
    if instead is not None:
        return with_agent(drivers, instead)
    name, _, number = workload.partition("-")
    if name == "layers" and number != "base":
        base = provide(drivers, "layers-base")
        content = hashlib.shake_256(workload.encode()).digest(UNIQUE_BYTES)
        return _layered(drivers, workload, base.image, {UNIQUE: File(content)})
    if name in NUMBERED:
        return NUMBERED[name](drivers, int(number))
    recipe = RECIPES.get(workload)
    if recipe is None:
        raise BenchFault(
            f"there is no workload {workload}", hint=f"there are: {', '.join(RECIPES)}", kind="usage"
        )
    return recipe(drivers)


def with_agent(drivers: Drivers, reference: str) -> Provided:
    """Return an image of the store with the agent on top, made if it is not there.

    Raises RuntimeFault of kind `missing` when the store has no such image, and BenchFault of kind `usage` for
    one without /bin/sh, by which the agent runs.
    """
    base = drivers.store.resolve(reference)
    if not _has_shell(drivers.store.layer_paths(base)):
        raise BenchFault(
            f"the image {reference} has no /bin/sh, by which the agent runs",
            hint="choose an image with a shell; build one FROM it that adds busybox",
            kind="usage",
        )
    return _layered(drivers, "variant", base, _agent_files())


def _has_shell(layers: tuple[Path, ...]) -> bool:
    root: Node = tuple(reversed(layers))
    folders = (child(root, "bin"), child(child(root, "usr"), "bin"))
    return any(child(folder, "sh") for folder in folders if is_directory(folder))


def _agent(drivers: Drivers) -> Provided:
    return _layered(drivers, "agent", bootstrap(drivers.store, "busybox", drivers.say), _agent_files())


def _layers_base(drivers: Drivers) -> Provided:
    base = bootstrap(drivers.store, "debian:bookworm", drivers.say)
    return _layered(drivers, "layers-base", base, _agent_files())


def _bench(drivers: Drivers) -> Provided:
    base = bootstrap(drivers.store, "debian:bookworm", drivers.say)
    tools = _installed(drivers, "tools", base, TOOLS)
    return _layered(drivers, "bench", tools.image, _agent_files())


def _files(drivers: Drivers, largest: int) -> Provided:
    """Return the image with a file of each of `FILES` that has at most `largest` MiB, none with a hole."""
    base = _agent(drivers).image
    sizes = " ".join(str(size) for size in FILES if size <= largest * 1024 * 1024)
    command = FILL.format(sizes=sizes)
    reference = _name("files", base, command)
    known = _known(drivers, reference)
    if known is None:
        drivers.say(f"making an image with files of up to {largest} MiB")
        known = Provided(reference, change(drivers.spawner, drivers.store, base, command, reference))
    return known


def _lookup(drivers: Drivers, depth: int) -> Provided:
    base = _agent(drivers).image
    reference = _name("lookup", base, f"{depth} {inspect.getsource(stack)}")
    known = _known(drivers, reference)
    if known is None:
        drivers.say(f"making an image of {depth} layers")
        known = Provided(reference, stack.stacked(drivers.store, base, depth, reference))
    return known


def _io(drivers: Drivers) -> Provided:
    base = bootstrap(drivers.store, "debian:bookworm", drivers.say)
    tools = _installed(drivers, "io-tools", base, IO_TOOLS)
    extra = {agent.MARK: File(agent.MARKING, agent.MODE), f"{VOLUME}/.keep": File(b"")}
    return _layered(drivers, "io", tools.image, {**_agent_files(), **extra})


def _machine(drivers: Drivers) -> Provided:
    system = _installed(drivers, "system", _bench(drivers).image, SYSTEM)
    files: dict[str, Entry] = {
        f"/{file.path}": Symlink(file.target) if file.target else File(file.data, file.mode)
        for file in machine_files()
    }
    return _layered(drivers, MACHINE, system.image, files)


RECIPES: Mapping[str, Callable[[Drivers], Provided]] = {
    "agent": _agent,
    "bench": _bench,
    "io": _io,
    "layers-base": _layers_base,
    MACHINE: _machine,
}

NUMBERED: Mapping[str, Callable[[Drivers, int], Provided]] = {"files": _files, "lookup": _lookup}


def _agent_files() -> Mapping[str, Entry]:
    return {agent.PATH: File(agent.source(), agent.MODE)}


def _layered(drivers: Drivers, name: str, base: Image, files: Mapping[str, Entry]) -> Provided:
    reference = _name(name, base, repr(sorted(files.items())))
    return _known(drivers, reference) or Provided(reference, derive(drivers.store, base, files, reference))


def _installed(drivers: Drivers, name: str, base: Image, packages: tuple[str, ...]) -> Provided:
    reference = _name(name, base, " ".join(packages))
    known = _known(drivers, reference)
    if known is None:
        drivers.say(f"installing {', '.join(packages)} into an image")
        known = Provided(reference, install(drivers.spawner, drivers.store, base, packages, reference))
    return known


def _name(name: str, base: Image, recipe: str) -> str:
    """Name an image after what it is made from: another recipe or base is another image."""
    return f"tare/{name}:{hashlib.sha256(f'{base.digest} {recipe}'.encode()).hexdigest()[:12]}"


def _known(drivers: Drivers, reference: str) -> Provided | None:
    try:
        return Provided(reference, drivers.store.resolve(reference))
    except RuntimeFault as fault:
        if fault.kind != "missing":
            raise
        return None
