"""An image of many small layers, each of which says which one it is.

Layer i (the lowest is 1) holds below /lookup, whatever is above it: `name` and `every-K` (K divides i) with i
in it; `gone-i` and a whiteout of `gone-(i-1)`; `merged/item-i`; an opaque `box` with `item-i`; `deep/in-i`.
The lowest has FILES empty files in `deep`, a directory of every layer, and in `flat`, of that one layer.
"""

from collections.abc import Mapping

from runtime.image.commit import derive
from runtime.image.image import Image
from runtime.image.layer.entry import Entry, File
from runtime.image.store import Store

ROOT = "/lookup"
FILES = 1000
EVERY = (2, 7)
UNFINISHED = "tare/unfinished:stack"
_EMPTY = File(b"")


def stacked(store: Store, base: Image, depth: int, reference: str) -> Image:
    """Return `base` with `depth` layers on it, named `reference` only when all of them are there."""
    image = base
    for index in range(1, depth + 1):
        image = derive(store, image, layer(index), reference if index == depth else UNFINISHED)
    if depth > 1:
        store.remove(UNFINISHED)
    return image


def layer(index: int) -> Mapping[str, Entry]:
    """Return what layer `index` holds, by path."""
    own = File(f"{index}\n".encode())
    files: dict[str, Entry] = {
        "name": own,
        **{f"every-{k}": own for k in EVERY if index % k == 0},
        f"gone-{index}": own,
        f"merged/item-{index}": own,
        "box/.wh..wh..opq": _EMPTY,
        f"box/item-{index}": own,
        f"deep/in-{index}": own,
    }
    if index == 1:
        files |= {f"{place}/{number}": _EMPTY for place in ("deep", "flat") for number in range(FILES)}
    else:
        files[f".wh.gone-{index - 1}"] = _EMPTY
    return {f"{ROOT}/{path}": entry for path, entry in files.items()}
