"""What the tests' processes listen on: nothing that other machines reach."""

from __future__ import annotations

import ipaddress
import threading

import psutil


class Watch(threading.Thread):
    """Looks every half second at what this process and those that it starts listen on.

    Attributes:
        reachable: the addresses and commands of those that other machines could reach.
    """

    def __init__(self) -> None:
        """Watch nothing yet."""
        super().__init__(daemon=True)
        self.reachable: set[str] = set()
        self._ended = threading.Event()

    def run(self) -> None:
        """Look, until the end."""
        while not self._ended.wait(0.5):
            self.look()

    def look(self) -> None:
        """Look once."""
        for process in (this := psutil.Process(), *this.children(recursive=True)):
            try:
                listening = [each for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
                self.reachable |= {
                    f"{each.laddr.ip} port {each.laddr.port}: {' '.join(process.cmdline())[:200]}"
                    for each in listening
                    if not ipaddress.ip_address(each.laddr.ip).is_loopback
                }
            except psutil.Error:  # it has ended meanwhile
                continue

    def end(self) -> set[str]:
        """Look for the last time, and return what was reachable at any time."""
        self._ended.set()
        self.join()
        return self.reachable
