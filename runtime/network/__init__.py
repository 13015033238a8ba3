"""A container's place on the bridge: link, address, routes, translation and published ports."""

from runtime.network.attachment import Attachment, attach, attachments, detach, prune
from runtime.network.mode import Mode, check
from runtime.network.ports import Port, parse

__all__ = ["Attachment", "Mode", "Port", "attach", "attachments", "check", "detach", "parse", "prune"]
