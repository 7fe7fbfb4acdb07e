"""Cursors of long lists. They are opaque to clients, and carry no more than the id of the last item shown."""

from __future__ import annotations

import base64
import binascii
import re

from fastapi import Request

from grader.errors import BadInput

_ID = re.compile(r"[0-9a-f]{32}")


def cursor(last_id: str) -> str:
    """The cursor of the page after this item."""
    return base64.urlsafe_b64encode(bytes.fromhex(last_id)).decode("ascii").rstrip("=")


def read(cursor: str) -> str:
    """The id that a cursor carries. Raises BadInput."""
    try:
        last_id = base64.b64decode(f"{cursor}==", altchars=b"-_", validate=True).hex()
    except (binascii.Error, ValueError):
        last_id = ""
    if not _ID.fullmatch(last_id):
        raise BadInput("this cursor was not given out by `next`; leave it out to begin at the newest", "bad_cursor")
    return last_id


def link(request: Request, cursor: str) -> str:
    """A Link header (RFC 8288) to the next page of this very request."""
    return f'<{request.url.path}?{request.url.include_query_params(cursor=cursor).query}>; rel="next"'
