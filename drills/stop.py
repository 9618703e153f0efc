"""How a person ends a drill: asked once, what was changed is rolled back; asked again, no person is waited for."""

from __future__ import annotations

import threading


class Stop(threading.Event):
    """Set when the drill is to end. Nothing but `ask` makes it insist: other parts may set it as well."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = 0

    def ask(self) -> None:
        """Takes a signal."""
        self._asked += 1
        self.set()

    def insisted(self) -> bool:
        """Whether it was asked for more than once."""
        return self._asked > 1
