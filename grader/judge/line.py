"""The line between judge and worker: JSON messages, one per packet, over an AF_UNIX SOCK_SEQPACKET socket.

Judge to worker, and what the worker answers:

    {"say": "ready", "tests": [{id, title, max_points}]}    the suite is collected          no answer
    {"say": "broken", "message"}                            it cannot be collected          no answer; the judge ends
    {"say": "fault", "why"}                                 something of ours failed        no answer; the judge ends
    {"say": "guest"}                                        a fresh guest, please           {} and its socket, or
                                                                                            {exhausted, detail}
    {"say": "lost", "why": "" | "wall" | "violation"}       the guest is of no more use     {outcome, detail}
    {"say": "time"}                                         a deadline passed               {seconds}
    {"say": "start", "id"}                                  a test begins                   no answer
    {"say": "load", "outcome", "message"}                   the solution did not load       no answer
    {"say": "exhausted"}                                    limits used up: a test not run  no answer
    {"say": "test", "test": {…TestResult}, "measures":      a test ended, and what it       no answer
     [[name, value, bound, at_least]]}                      measured against thresholds
    {"say": "done", "cpu_s"}                                the suite ran to its end; what  no answer
                                                            the judge used
"""

from __future__ import annotations

import json
import socket
from typing import Any

PACKET = 1 << 17


class Line:
    """One end of the line."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * PACKET)

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()

    def say(self, message: dict[str, Any], *sockets: socket.socket) -> None:
        """Send a message, and sockets with it. Raises OSError when the other end is gone."""
        socket.send_fds(self._sock, [json.dumps(message).encode()], [sock.fileno() for sock in sockets])

    def hear(self, timeout_s: float | None = None) -> tuple[dict[str, Any], list[socket.socket]]:
        """The next message and the sockets that came with it.

        Raises EOFError when the other end is gone, TimeoutError when nothing comes in time.
        """
        self._sock.settimeout(timeout_s)
        data, fds, _, _ = socket.recv_fds(self._sock, PACKET, 4)
        sockets = [socket.socket(fileno=fd) for fd in fds]
        if not data:
            raise EOFError
        return json.loads(data), sockets
