"""The image's seccomp profile as a filter of this process: the `local` backend allows the calls that docker does.

The profile is `image/seccomp.json`, in the engine's format. Names become numbers by `image/syscalls.json`, the whole
becomes a classic BPF program (Linux: Documentation/userspace-api/seccomp_filter.rst). Arguments are compared in their
lower 32 bits, which is all that the kernel looks at in those that the profile names.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import struct
from pathlib import Path
from typing import Any

_IMAGE = Path(__file__).parents[1] / "image"
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_…
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER, _ARCH, _ARGS = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X32 = 0x40000000  # the second set of system calls of x86-64, which no honest program uses
_CONNECTING = {"socket", "socketpair", "connect"}
_STREAM_PAIRS = {  # a pair of datagram sockets could send to any other socket
    "names": ["socketpair"],
    "action": "SCMP_ACT_ALLOW",
    "args": [
        {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"},
        {"index": 1, "value": 0xF, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"},
    ],
}

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def supported() -> bool:
    """Whether this machine's system calls are known."""
    return platform.machine() in _ARCHITECTURES


def restrict(connects: bool) -> None:
    """Allow this process, and all that it starts, no other system calls than the profile does. Raises OSError.

    Without `connects`, no socket can be made that could be connected to one of the host's.
    """
    filters = b"".join(struct.pack("<HBBI", *instruction) for instruction in program(platform.machine(), connects))
    buffer = ctypes.create_string_buffer(filters, len(filters))
    told = struct.pack("@HP", len(filters) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, told, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def program(machine: str, connects: bool) -> list[Instruction]:
    """The profile as instructions for one kind of machine. Raises KeyError for an unknown one."""
    profile = json.loads((_IMAGE / "seccomp.json").read_text())
    numbers = json.loads((_IMAGE / "syscalls.json").read_text())[machine]
    instructions: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    rules = profile["syscalls"]
    if not connects:
        rules = [_STREAM_PAIRS, *({**rule, "names": sorted({*rule["names"]} - _CONNECTING)} for rule in rules)]
    for rule in rules:
        for number in (numbers[name] for name in rule["names"] if name in numbers):
            body = _body(rule)
            instructions += [(_EQUAL, 0, len(body), number), *body]
    return [*instructions, (_RETURN, 0, 0, _ERRNO | errno.EPERM)]


def _body(rule: dict[str, Any]) -> list[Instruction]:
    """What happens to a call that the rule names: its action, if its arguments are right."""
    verdict = _ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else _ERRNO | rule.get("errnoRet", errno.EPERM)
    body: list[Instruction] = []
    for argument in rule.get("args", []):
        masked = argument["op"] == "SCMP_CMP_MASKED_EQ"
        wanted = argument["valueTwo"] if masked else argument["value"]
        body += [(_LOAD, 0, 0, _ARGS + 8 * argument["index"])]
        body += [(_AND, 0, 0, argument["value"])] if masked else []
        body += [(_EQUAL, 1, 0, wanted), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    return [*body, (_RETURN, 0, 0, verdict)]
