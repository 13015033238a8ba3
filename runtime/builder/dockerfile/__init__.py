"""The Dockerfile's language: lines, words, instructions, each with its position."""

from runtime.builder.dockerfile.parser import Document, Node, parse
from runtime.builder.dockerfile.position import DockerfileFault, Position

__all__ = ["DockerfileFault", "Document", "Node", "Position", "parse"]
