# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What sshd runs for each session of a PC: hands command line and standard input to the lab, and gives back what comes of it.

``python ssh_session.py SOCKET PC``. Standard library only, and few parts of it, since each execution starts it.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import sys

SECONDS = 180
"""After that the session is killed, whatever it waits for."""
CONNECTION_LOST = 255
"""ssh's own exit status, for a session that the lab ended."""


def main() -> int:
    """Serve one session; return the exit status of the command."""
    signal.alarm(SECONDS)
    address, pc = sys.argv[1:]
    session = {
        "pc": pc,
        "line": os.environ.get("SSH_ORIGINAL_COMMAND", ""),
        "client_port": int(os.environ["SSH_CONNECTION"].split()[1]),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lab:
        lab.connect(address)
        lab.sendall(json.dumps(session).encode() + b"\n" + sys.stdin.buffer.read())
        lab.shutdown(socket.SHUT_WR)
        with lab.makefile("rb") as replies:
            for line in replies:
                reply = json.loads(line)
                for stream, name in ((sys.stdout, "stdout"), (sys.stderr, "stderr")):
                    stream.buffer.write(base64.b64decode(reply[name]))
                    stream.flush()
                if reply["code"] is not None:
                    return int(reply["code"])
    return CONNECTION_LOST


if __name__ == "__main__":
    sys.exit(main())
