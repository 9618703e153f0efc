"""One file for each kind of provider that a drill can drive, and the function that chooses among them."""

from drills.drivers.choice import driver_for

__all__ = ["driver_for"]
