# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What sits in the way of a PC: sign-in and block pages, a filter of server names, servers that are unwell. All on loopback."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

from tests.lab.network import Handler, relay

PAGE = b"<!DOCTYPE html>\n<html><head><title>%s</title></head><body>%s</body></html>\n"


class Portal(Handler):
    """A captive portal: whatever is asked for, it sends to its sign-in page."""

    def do_GET(self) -> None:
        """Send to the page."""
        self.answer(
            302,
            {"Location": "http://login.hotel.example/?from=here", "Content-Type": "text/html"},
            b"",
        )


class Network511(Handler):
    """A captive portal that says so by RFC 6585."""

    def do_GET(self) -> None:
        """Ask for a login."""
        self.answer(511, {"Content-Type": "text/html"}, PAGE % (b"Sign in", b"Please sign in."))


class BlockPage(Handler):
    """A web filter that answers with a page of its own, and calls that a success."""

    def do_GET(self) -> None:
        """Answer with the page."""
        self.answer(
            200,
            {"Content-Type": "text/html; charset=utf-8"},
            PAGE % (b"Blocked", b"Category: software updates"),
        )


class Forbidding(Handler):
    """A web filter that says 403 to a page of its own."""

    def do_GET(self) -> None:
        """Refuse."""
        self.answer(
            403,
            {"Content-Type": "text/html"},
            PAGE % (b"Access denied", b"Ask your administrator."),
        )


class Unwell(Handler):
    """A server with an error of its own."""

    def do_GET(self) -> None:
        """Answer 503."""
        self.answer(503, {"Server": "lab", "Retry-After": "120"})


class Altering(Handler):
    """A server that sends another document instead of the vendor's."""

    def do_GET(self) -> None:
        """Answer with another document."""
        self.answer(200, {"Content-Type": "application/xml"}, b'<?xml version="1.0"?><Other/>')


class Listener:
    """Listens on a free port of loopback and does the same to every connection; behave gets the connection and ends when it is done."""

    def __init__(self, behave: Callable[[socket.socket], None]) -> None:
        self._behave = behave
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(
                    target=self._one, args=(self._socket.accept()[0],), daemon=True
                ).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(30)
            self._behave(connection)


def dropping(stack: contextlib.ExitStack, host: str = "127.0.0.1", port: int = 0) -> str:
    """Return an address that accepts no more connections: Linux drops what asks for it, as a firewall does."""
    listening = stack.enter_context(
        contextlib.closing(socket.create_server((host, port), backlog=0))
    )
    for _caller in range(3):
        caller = stack.enter_context(contextlib.closing(socket.socket()))
        caller.setblocking(False)
        caller.connect_ex(listening.getsockname())
    return f"{host}:{listening.getsockname()[1]}"


def name_filter(names: tuple[str, ...], behind: str) -> Callable[[socket.socket], None]:
    """Return a firewall that resets a connection whose TLS says one of the names, and lets others through to the address behind."""
    host, _colon, port = behind.rpartition(":")

    def behave(connection: socket.socket) -> None:
        connection.recv(16, socket.MSG_PEEK)
        hello = connection.recv(65536, socket.MSG_PEEK)
        if any(name.encode() in hello for name in names):
            return reset(connection)
        with socket.create_connection((host, int(port)), 5) as far:
            relay(connection, far)

    return behave


def reset(connection: socket.socket) -> None:
    """Read what is said, and break off with a reset."""
    connection.recv(65536)
    break_off(connection)


def break_off(connection: socket.socket) -> None:
    """Have the connection end with a reset when it is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(connection: socket.socket) -> None:
    """Take everything and say nothing until the client goes."""
    while connection.recv(65536):
        pass


def saying(answer: bytes) -> Callable[[socket.socket], None]:
    """Return who answers anything with these bytes and closes."""

    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return behave
