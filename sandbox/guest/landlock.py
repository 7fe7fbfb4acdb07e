"""A Landlock domain of the guest's own, inside whatever the zygote is confined by already.

It forbids nothing to files. Its point is the scope: from inside, no process outside the domain can be signalled or
traced, nor reached over abstract Unix sockets; so a guest with the zygote's uid cannot touch the zygote.
Kernel documentation: userspace-api/landlock. Numbers are those of the generic system call table (x86-64, arm64 …).
"""

from __future__ import annotations

import ctypes
import os
import struct

_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_VERSION = 1
_SCOPES = 0b11  # abstract Unix sockets, signals
_MAKE_BLOCK = 1 << 11  # a right that nobody needs: a ruleset must handle something
_PR_SET_NO_NEW_PRIVS = 38


def abi() -> int:
    """The Landlock version that the kernel offers; 0 where it has none."""
    version = _libc().syscall(_CREATE_RULESET, None, 0, _VERSION)
    return max(0, int(version))


def enter_own_domain() -> None:
    """Put this process and its children to come into a domain of their own. Raises OSError, before Landlock 6 too."""
    libc = _libc()
    attributes = struct.pack("<QQQ", _MAKE_BLOCK, 0, _SCOPES)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(ruleset)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
