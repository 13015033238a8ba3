"""A root file system of one static program, enough to run real containers without an image store."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_layer(root: Path) -> Path:
    """Fill `root` with Debian's busybox-static under the names of its applets."""
    for name in ("bin", "etc", "tmp", "proc", "dev", "sys"):
        (root / name).mkdir(parents=True)
    shutil.copy2("/bin/busybox", root / "bin/busybox")
    names = subprocess.run(
        ["/bin/busybox", "--list"], check=True, capture_output=True, text=True
    ).stdout.split()
    for name in set(names) - {"busybox"}:
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/var/www:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nweb:x:33:\nlog:x:4:web\n")
    (root / "notexec").write_text("#!/bin/sh\n")
    (root / "noformat").write_bytes(b"\0\0\0\0")
    (root / "noformat").chmod(0o755)
    return root
