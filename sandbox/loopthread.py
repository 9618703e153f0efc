"""An asyncio event loop in a thread of its own, for asynchronous servers among synchronous ones."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines on the loop of another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for its result, or raise what it raised."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@contextlib.contextmanager
def loop_thread(name: str) -> Iterator[LoopThread]:
    """A running loop; at the end its tasks are cancelled and the thread has ended."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    runner = LoopThread(loop)
    try:
        yield runner
    finally:
        runner.run(_cancel_others())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # transports that were closed finish in the next turn
