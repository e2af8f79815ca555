# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Servers that answer in ways which a prober has to read with care, or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from socket import socket

from tests.lab.obstacles import Listener, dropping, reset, saying, silent

OK = b"HTTP/1.1 200 OK\r\n"


def in_parts(connection: socket) -> None:
    """Answer with the body a while after the head."""
    connection.recv(65536)
    for part in (OK + b"Content-Length: 9\r\n\r\n", b"four", b" five"):
        connection.sendall(part)
        time.sleep(0.2)


def repeating(connection: socket) -> None:
    """Refuse, and repeat in the headers what was asked for, and of whom."""
    asked = connection.recv(65536).split(b"\r\n")
    connection.sendall(
        b"HTTP/1.1 403 Forbidden\r\nX-Asked: "
        + b" | ".join(asked[:2])
        + b"\r\nContent-Length: 0\r\n\r\n"
    )


def chunked_late(connection: socket) -> None:
    """Answer in chunks a while after a head that ends as they do."""
    connection.recv(65536)
    connection.sendall(OK + b"Transfer-Encoding: chunked\r\nExpires: 0\r\n\r\n")
    time.sleep(0.3)
    connection.sendall(b"4\r\nfull\r\n0\r\n\r\n")


KINDS: dict[str, Callable[[socket], None]] = {
    "alert": saying(b"\x15\x03\x03\x00\x02\x02\x28"),
    "chunked": saying(OK + b"Transfer-Encoding: chunked\r\nno colon\r\n\r\n4\r\nfull\r\n0\r\n\r\n"),
    "chunked late": chunked_late,
    "closing": saying(b""),
    "cut": saying(OK + b"Content-Length: 9\r\n\r\nhalf"),
    "early hints": saying(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100\r\n\r\n"
        + OK
        + b"Content-Length: 4\r\n\r\nfull"
    ),
    "garbage": saying(b"220 mail.example ESMTP\r\n\r\n"),
    "in parts": in_parts,
    "line feeds": saying(
        b"HTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 200 OK\nContent-Length: 4\n\nfull"
    ),
    "long head": saying(OK + b"X: " + b"y" * 40000 + b"\r\n\r\n"),
    "no content": saying(b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\nmore"),
    "redirect": saying(
        b"HTTP/1.1 301\r\nLocation: http://other.example/\r\nContent-Length: 0\r\n\r\n"
    ),
    "repeating": repeating,
    "reset": reset,
    "silent": silent,
}


def start(stack: ExitStack) -> dict[str, str]:
    """Start them all, and return the address of each by its name."""
    addresses = {}
    for name, behave in KINDS.items():
        listener = Listener(behave)
        stack.callback(listener.stop)
        addresses[name] = listener.address
    # The same port, but for the first address of two: there no connection is ever accepted.
    addresses["dropping"] = dropping(
        stack, "127.0.0.2", int(addresses["closing"].rpartition(":")[2])
    )
    return addresses
