"""What the tests' processes listen on: nothing that other machines reach."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable

import psutil


def is_loopback(address: str) -> bool:
    """Return whether an address is this machine's own alone."""
    given = ipaddress.ip_address(address)
    return (getattr(given, "ipv4_mapped", None) or given).is_loopback


class Watch(threading.Thread):
    """Looks every half second at what this process and those that it starts listen on.

    Attributes:
        reachable: the addresses and commands of those that other machines could reach.
    """

    def __init__(self, allowed: Callable[[str], bool] = is_loopback) -> None:
        """Watch nothing yet; ``allowed`` tells of an address whether it may be listened on."""
        super().__init__(daemon=True)
        self.allowed = allowed
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
                    if not self.allowed(each.laddr.ip)
                }
            except psutil.Error:  # it has ended meanwhile
                continue

    def end(self) -> set[str]:
        """Look for the last time, and return what was reachable at any time."""
        self._ended.set()
        self.join()
        return self.reachable
