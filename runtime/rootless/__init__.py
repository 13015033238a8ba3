"""Containers of ordinary users: which ids they may map, and a user namespace of their own to work in."""

from runtime.rootless.ids import Ids, Range, plan
from runtime.rootless.session import enter

__all__ = ["Ids", "Range", "enter", "plan"]
