"""paho's client in a thread that reads and writes much at a time.

paho's own thread asks the system five times for each message that comes in and three times for each
that goes out, and each time lets go of the interpreter's lock: beside a writer that is busy it
waits up to 5 ms until it has it again. This one reads what there is, up to 64 KiB, lets paho take
its packets out of that, and writes what paho has to send at once. It is paho's way with an event
loop of one's own (`loop_read`, `loop_write`, `loop_misc`), around a socket that keeps bytes.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

__all__ = ["KeepingSocket", "WireClient"]

READ_BYTES = 65_536
PACKETS_A_READ = 256
"""So many are taken before anything is written again: a broker waits for its acknowledgements."""
IDLE_S = 1.0
RECONNECT_S = (1.0, 10.0)


class KeepingSocket:
    """A connected socket that does not block, for one thread: `recv` is served from what was read
    in one go, `send` keeps bytes until `flush`. Errors are those of the socket beneath."""

    def __init__(self, beneath: paho.SocketLike) -> None:
        self._beneath = beneath
        self._read = b""
        self._at = 0
        self._unsent = bytearray()

    def recv(self, buffer_size: int) -> bytes:
        """At most so many bytes; b"" at the end, BlockingIOError while there are none."""
        if self._at >= len(self._read):
            self._at, self._read = 0, b""
            self._read = self._beneath.recv(READ_BYTES)
        part = self._read[self._at : self._at + buffer_size]
        self._at += len(part)
        return part

    def send(self, buffer: bytes | bytearray) -> int:
        """Keeps them all for the next `flush`."""
        self._unsent += buffer
        return len(buffer)

    def flush(self) -> None:
        """Sends what is kept, as far as the system takes it now."""
        with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while self._unsent and (sent := self._beneath.send(self._unsent)):
                del self._unsent[:sent]

    def pending(self) -> int:
        """Bytes that `recv` has without asking the system; those of TLS count as well."""
        kept = len(self._read) - self._at
        if not kept and isinstance(self._beneath, ssl.SSLSocket):
            return self._beneath.pending()
        return kept

    @property
    def unsent(self) -> int:
        """Bytes that wait for a `flush`."""
        return len(self._unsent)

    def close(self) -> None:
        """Sends what it can of what is kept, and closes."""
        with suppress(OSError):
            self.flush()
        self._beneath.close()

    def fileno(self) -> int:
        """The socket's."""
        return self._beneath.fileno()

    def setblocking(self, flag: bool) -> None:
        """As the socket's."""
        self._beneath.setblocking(flag)


class WireClient(paho.Client):
    """A client that `run` connects, again and again, in a thread of the caller's; all else is
    paho's. `ack` and `publish` are safe from any thread, callbacks come from the one that runs;
    `on_failed` is told why a connection was not made."""

    def __init__(self, *args: Any, on_failed: Callable[[OSError], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_failed = on_failed
        self._wake: socket.socket | None = None
        self._over = threading.Event()
        self.on_socket_register_write = self._has_something

    def run(self) -> None:
        """Connects to where `connect_async` said and serves, until `end`; to be called once."""
        bell, self._wake = socket.socketpair()
        with bell, self._wake:
            bell.setblocking(False)
            self._wake.setblocking(False)
            pause_s = RECONNECT_S[0]
            while not self._over.is_set():
                try:
                    self.reconnect()
                except OSError as error:
                    self.on_failed(error)
                else:
                    if self._over.is_set():
                        self.disconnect()
                    if self._serve(bell):
                        pause_s = RECONNECT_S[0]
                self._over.wait(pause_s)
                pause_s = min(2.0 * pause_s, RECONNECT_S[1])

    def end(self) -> None:
        """Says goodbye to the broker; `run` returns when that is sent, or nobody can be told."""
        self._over.set()
        self.disconnect()
        self._ring()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Takes the packets out of what was read in one go."""
        for _ in range(PACKETS_A_READ):
            code = super().loop_read(max_packets)
            kept = self.socket()
            if code or not isinstance(kept, KeepingSocket) or not kept.pending():
                break
        return code

    def loop_write(self) -> MQTTErrorCode:
        """Sends all there is; a connection that broke is found when it is read next."""
        code = super().loop_write()
        kept = self.socket()
        if isinstance(kept, KeepingSocket):
            with suppress(OSError):
                kept.flush()
        return code

    def _create_socket(self) -> paho.SocketLike:
        return KeepingSocket(super()._create_socket())

    def _serve(self, bell: socket.socket) -> bool:
        """Until the connection is over; whether the broker had accepted it."""
        accepted = False
        kept = self.socket()
        if not isinstance(kept, KeepingSocket):
            raise TypeError(f"expected paho to use a KeepingSocket, it has {type(kept).__name__}")
        with selectors.DefaultSelector() as selector:
            armed = selectors.EVENT_READ
            selector.register(kept, armed)
            selector.register(bell, selectors.EVENT_READ)
            while self.socket() is kept:
                if kept.unsent or self.want_write():
                    self.loop_write()
                    if self.socket() is not kept:
                        break
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if kept.unsent else 0)
                if wanted != armed:
                    selector.modify(kept, wanted)
                    armed = wanted
                # A packet that came while others were written rang no bell.
                wait_s = 0.0 if kept.pending() or self.want_write() else IDLE_S
                ready = {key.fileobj for key, _ in selector.select(wait_s)}
                if bell in ready:
                    bell.recv(READ_BYTES)
                if kept in ready or kept.pending():
                    self.loop_read()
                self.loop_misc()
                accepted = accepted or self.is_connected()
        return accepted

    def _has_something(self, _client: paho.Client, _data: Any, _socket: Any) -> None:
        self._ring()

    def _ring(self) -> None:
        if self._wake is not None:
            # It is rung already, or nobody listens any more.
            with suppress(OSError):
                self._wake.send(b"\0")
