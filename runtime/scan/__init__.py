"""What an image has installed, held against a list of known weaknesses. Nothing of the image is run."""

from runtime.scan.advisories import Advisories, Finding
from runtime.scan.packages import Inventory, Package, inventory

__all__ = ["Advisories", "Finding", "Inventory", "Package", "inventory"]
