"""Whether anything that a container writes changes the layers below it, and whether a change would be found.

All are facts, 1 or 0: a container writes in every way that there is, and every layer is hashed before and
after, as a tree and as its blob; a copy of the image in another store is changed by one byte and verified.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote

from bench.channel import Channel
from bench.clock import now
from bench.errors import BenchFault
from bench.ladder import climb
from bench.scenarios.repeated import OTHERS, Repeated
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import Box, Launcher
from bench.value import Value
from bench.variant import among
from bench.workloads import integrity
from bench.workloads.stack import ROOT

MIB = 1024 * 1024
RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {OTHERS: 3},
    "default": {OTHERS: 6},
    "rigorous": {OTHERS: 12},
}
WRITES = (
    "echo own >name", "echo more >>every-2", "chmod 600 merged/item-1", "chown 7:7 merged/item-2",
    "touch -d @1 merged/item-3", "mv deep/in-1 deep/moved", "ln deep/in-2 deep/linked", "ln -s x deep/link",
    "rm gone-3", "rm -r flat", "mkdir flat", "echo new >flat/new", "rm -r box", "mknod box p",
    "cat name | grep -qx own",
)  # fmt: skip
"""Each in a stack of three layers, as `bench.workloads.stack` makes it."""
INTRUDE = (
    "for layer in {layers}; do ( echo x >$layer/tare-intruder ) 2>/dev/null && echo $layer; done; echo end"
)
INTRUDER = "tare-intruder"
PATIENCE = 60.0


class LayersIntegrity(Repeated):
    """Facts about the layers of an image that a container uses and writes to."""

    name = "layers-integrity"
    title = "Whether a container's writes reach its image, and whether a changed byte would be found"
    at_once = True
    box = Box("lookup-3", 128 * MIB)
    runs = RUNS

    def __init__(self, variants: Iterable[str] = ()) -> None:
        self.targets = among(("container",), variants)

    def turn(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        """Hash, write in a fresh container, hash again; then change copies."""
        prepared = launcher.prepared
        store = prepared.store
        if store is None:
            raise BenchFault(
                f"{slot.target} does not use its image from Tare's store",
                hint="measure the target `container`",
                kind="host",
            )
        session.sentinels.start()
        before = integrity.trees(prepared.storage), integrity.content(store, prepared.image.reference)
        with climb(launcher, f"{self.name}-{slot.target}-{slot.round}") as running:
            lands, reached = _write(running.channel), _intrude(running.channel, prepared.storage)
            session.listen(slot.target, prepared, running.channel)
        after = integrity.trees(prepared.storage), integrity.content(store, prepared.image.reference)
        named = integrity.names(store, prepared.image.reference)
        finds = integrity.finds(store, prepared.image.reference)
        facts = {
            "writes_land": lands,
            "layers_unchanged": before[0] == after[0],
            "layers_out_of_reach": not reached,
            "image_unchanged": before[1] == after[1] == named,
            "sound_copy_passes": not finds["nothing"],
            "changed_blob_found": finds["blob"],
            "changed_document_found": finds["document"],
            "changed_file_found": finds["unpacked"],
        }
        values = [Value(name, "1", float(fact)) for name, fact in facts.items()]
        session.record(Place(self.name, slot, prepared), values, session.sentinels.stop())


def _write(channel: Channel) -> bool:
    """Write in every way; tell whether all of it worked and is seen in the container."""
    return not channel.execute(f"cd {ROOT} && {' && '.join(WRITES)}", now() + PATIENCE).status


def _intrude(channel: Channel, layers: Sequence[Path]) -> bool:
    """Tell whether a file came into a layer by its own path, as the host knows it."""
    words = " ".join(quote(str(layer)) for layer in layers)
    done = channel.execute(INTRUDE.format(layers=words), now() + PATIENCE)
    return done.output.split() != ["end"] or any((layer / INTRUDER).exists() for layer in layers)
