"""Images: names, documents, layers, and a content-addressed store of them on disk."""

from runtime.image.bootstrap import bootstrap
from runtime.image.commit import Change, commit, derive, from_tree
from runtime.image.digest import Digest
from runtime.image.image import Image
from runtime.image.layer.entry import Directory, Entry, File, Symlink
from runtime.image.reference import Reference
from runtime.image.store import Store

__all__ = [
    "Change",
    "Digest",
    "Directory",
    "Entry",
    "File",
    "Image",
    "Reference",
    "Store",
    "Symlink",
    "bootstrap",
    "commit",
    "derive",
    "from_tree",
]
