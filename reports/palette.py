"""Colours: the same target has the same colour in every chart of every report.

Hues are those of Okabe and Ito, "Color Universal Design" (2008), which people with any of the common
colour-vision deficiencies tell apart; yellow is left out because it vanishes on a white projector.
"""

from __future__ import annotations

import hashlib

INK, MUTED, RULE, PAPER = "#1b1f24", "#5b6470", "#d8dde3", "#ffffff"
EMULATED = "#8a929c"

TARGETS = {
    "native": "#3d4550",
    "container": "#0072b2",
    "vm": "#d55e00",
    "vm-micro": "#e69f00",
    "vm-full": "#b4518a",
}
SPARE = ("#009e73", "#56b4e9", "#7a5195", "#8c6d31", "#4b8b3b", "#a04040")

# Phases and ledger lines are ordered, so they go from light to dark in one hue each and never
# collide with a target's colour.
PHASES = {
    "created": "#dbe9e4",
    "kernel": "#a9d0c3",
    "init": "#6db39d",
    "listening": "#33907a",
    "ready": "#0f5c4d",
}
LEDGER = {
    "cgroup_anon": "#3b4a7a",
    "cgroup_shmem": "#7f8fc0",
    "cgroup_kernel": "#c9a66b",
    "pss_anon": "#3b4a7a",
    "pss_files": "#7f8fc0",
}


def target(name: str) -> str:
    """Return the colour of a target; names that Tare doesn't know get a stable spare colour."""
    if name in TARGETS:
        return TARGETS[name]
    return SPARE[hashlib.sha256(name.encode()).digest()[0] % len(SPARE)]


def translucent(colour: str, opacity: float) -> str:
    """Return `#rrggbb` as `rgba(…)` with an opacity from 0 to 1."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"
