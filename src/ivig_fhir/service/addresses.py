"""Which addresses a name leads to, and which of them may be reached (server-side request forgery).

A name is resolved once per connection and the connection goes to the address that was checked, so that a name
that changes its address between check and use gains nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
# host, port -> addresses as text; the one place where names are looked up, so that tests can stand in for it
Resolver = Callable[[str, int], Sequence[str]]

_NAT64 = IPv6Network("64:ff9b::/96")
# where clouds answer with credentials; link-local ones are refused with all link-local addresses
_METADATA = {ip_address("168.63.129.16"), ip_address("100.100.100.200"), ip_address("fd00:ec2::254")}


def system_addresses(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver gives. Raises OSError when it gives none."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def may_be_reached(text: str, local: bool) -> bool:
    """Whether an address may be connected to; `local` allows loopback and private ones, never link-local or metadata.

    An IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4, Teredo) is judged by both.
    """
    try:
        addresses = list(_with_embedded(ip_address(text)))
    except ValueError:
        return False
    return all(_harmless(item) and (local or item.is_global) for item in addresses)


def _harmless(address: Address) -> bool:
    return not (address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA)


def _with_embedded(address: Address) -> Iterator[Address]:
    if not isinstance(address, IPv6Address):
        yield address
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
        return
    yield address
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
