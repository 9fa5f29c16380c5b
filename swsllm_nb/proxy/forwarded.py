"""Who asked, and under which address: front proxies are believed only where they are trusted.

A front proxy adds to ``X-Forwarded-For`` whom it speaks for, and states in ``X-Forwarded-Proto``
and ``X-Forwarded-Host`` what its client wrote. Anybody can send these headers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from swsllm_nb.proxy.asgi import Scope

__all__ = ["Network", "RequestOrigin", "read_network", "request_origin"]

Network: TypeAlias = IPv4Network | IPv6Network
_Address: TypeAlias = IPv4Address | IPv6Address


@dataclass(frozen=True)
class RequestOrigin:
    """The client's IP address ("" where there is none), ``http`` or ``https``, and the host.

    ``host`` is in lower case, with the port where one was written; "" where none was. It is what
    the client claims: whoever builds an address from it compares it first.
    """

    client: str
    scheme: str
    host: str


def request_origin(scope: Scope, trusted: Sequence[Network]) -> RequestOrigin:
    """Where a request came from, seen through the front proxies that are trusted."""
    peer = _peer(scope)
    scheme, host = scope.get("scheme", "http"), _only(scope, b"host")
    if peer is None or not _within(peer, trusted):
        return RequestOrigin(str(peer or ""), scheme, host)
    stated_scheme = _only(scope, b"x-forwarded-proto")
    return RequestOrigin(
        str(_client(peer, _listed(scope, b"x-forwarded-for"), trusted)),
        stated_scheme if stated_scheme in ("http", "https") else scheme,
        _only(scope, b"x-forwarded-host") or host,
    )


def read_network(text: str) -> Network:
    """An address such as 127.0.0.1 or a network such as 10.1.0.0/16. Raises ValueError in words."""
    try:
        return ip_network(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is no front proxy that can be trusted: name it by its IP address, such as "
            "127.0.0.1, or its network, such as 10.1.0.0/16."
        ) from None


def _client(peer: _Address, forwarded_for: list[str], trusted: Sequence[Network]) -> _Address:
    """The nearest address that no trusted proxy has: what stands before it may be invented."""
    for text in reversed(forwarded_for):
        address = _read(text)
        if address is None:
            break
        peer = address
        if not _within(peer, trusted):
            break
    return peer


def _peer(scope: Scope) -> _Address | None:
    client = scope.get("client")
    return _read(client[0]) if client else None


def _read(text: str) -> _Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A socket for both families writes IPv4 addresses so.
    return getattr(address, "ipv4_mapped", None) or address


def _within(address: _Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _listed(scope: Scope, name: bytes) -> list[str]:
    """All that stands in a header, or in several of that name, parted by commas."""
    text = b",".join(value for field, value in scope["headers"] if field == name)
    return [part.strip() for part in text.decode("latin-1").split(",")] if text else []


def _only(scope: Scope, name: bytes) -> str:
    """What a header says, in lower case; of several, what the nearest proxy said."""
    listed = _listed(scope, name)
    return listed[-1].lower() if listed else ""
