"""Undoes several things, so that one that cannot be undone keeps no other from being."""

from __future__ import annotations

from collections.abc import Callable

from drills.driver import DriverFailed


def all_tried(*steps: Callable[[], object]) -> None:
    """Every step in turn, also after one that failed. Raises DriverFailed with all that they said."""
    said = []
    for step in steps:
        try:
            step()
        except DriverFailed as failure:
            said.append(str(failure))
    if said:
        raise DriverFailed("; ".join(dict.fromkeys(said)))
