"""An RFC 3161 time stamp over a signature: an authority says that the signature existed by then.

The rule: the signature is stamped, and only its digest leaves this machine. A missing time stamp refuses no seal. This
module is a process of its own (`python -m ... URL`, the bytes on its standard input, the answer on its standard
output), so that no drill imports the client. It needs the extra `timestamp`.
"""

from __future__ import annotations

import sys

import httpx
from rfc3161_client import HashAlgorithm, PKIStatus, TimestampRequestBuilder, decode_timestamp_response

_WITHIN_S = 20.0
_HEADERS = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}


class NoStampError(Exception):
    """The authority has not stamped it; the message says why."""


def stamped(url: str, data: bytes) -> bytes:
    """The authority's answer (DER) for these bytes. Raises NoStampError, httpx.HTTPError."""
    asked = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
    answer = httpx.post(url, content=asked.as_bytes(), headers=_HEADERS, timeout=_WITHIN_S, follow_redirects=False)
    answer.raise_for_status()
    try:
        response = decode_timestamp_response(answer.content)
        granted = response.status in (PKIStatus.GRANTED.value, PKIStatus.GRANTED_WITH_MODS.value)
        info = response.tst_info if granted else None
    except ValueError as error:
        raise NoStampError(f"its answer is no time stamp: {error}") from error
    if info is None:
        raise NoStampError(f"it has refused ({', '.join(response.status_string) or response.status})")
    if info.message_imprint.message != asked.message_imprint.message or info.nonce != asked.nonce:
        raise NoStampError("its answer is about something else")
    return answer.content


def main() -> int:
    """The process."""
    try:
        sys.stdout.buffer.write(stamped(sys.argv[1], sys.stdin.buffer.read()))
    except (NoStampError, httpx.HTTPError, httpx.InvalidURL) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
