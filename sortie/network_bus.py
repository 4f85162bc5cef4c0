"""A simulated node's connection to its broker, over the bad network of store_sim.network."""

from __future__ import annotations

from edge.bus import Letter
from store_sim.network import Network

__all__ = ["NetworkBus"]


class NetworkBus:
    """One node's connection: follows edge.bus.Bus. A cut link takes letters and loses them, as a
    line does that nobody has found dead yet; only a broker that is down refuses."""

    def __init__(self, network: Network, device_id: str) -> None:
        self.network = network
        self._device_id = device_id
        self._inbox: list[Letter] = []
        self.now_s = 0.0
        self.session = 1
        self.connected = True

    def subscribe(self, filters: tuple[str, ...]) -> None:
        """Everything that is sent to the device arrives."""

    def publish(self, letter: Letter) -> bool:
        """Gives a letter to the network."""
        if self.connected:
            self.network.send(self.now_s, (self._device_id, "up"), letter.topic, letter.payload)
        return self.connected

    def opened(self) -> None:
        """The node's process has started: a connection of its own."""
        self.session += 1

    def arrived(self, letter: Letter) -> None:
        """The network brought something."""
        self._inbox.append(letter)

    def poll(self) -> list[Letter]:
        """What arrived since the last call."""
        letters, self._inbox = self._inbox, []
        return letters

    def broker(self, up: bool) -> None:
        """The broker went down or came back: a new session, and nothing of the old one."""
        if up and not self.connected:
            self.session += 1
        if not up:
            self._inbox.clear()
        self.connected = up

    def close(self) -> None:
        """The process is dead."""
        self._inbox.clear()
