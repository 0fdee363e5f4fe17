"""What the next Ctrl-C does while a session ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable


def on_next_interrupt(act: Callable[[], None]) -> Callable[[], None]:
    """Have the next SIGINT call `act`, wherever the main thread is then; the one after it is nobody's.

    Returns:
        What puts things back as they were.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None  # only the main thread meets signals
    before = signal.getsignal(signal.SIGINT)

    def restore() -> None:
        signal.signal(signal.SIGINT, before)

    def once(*_: object) -> None:
        restore()
        act()

    signal.signal(signal.SIGINT, once)
    return restore
