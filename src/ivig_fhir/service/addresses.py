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

# IPv6 addresses whose last 32 bits are an IPv4 address: NAT64 (well-known, local), SIIT, the old "compatible" form
_ENDING_IN_IPV4 = [IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")]
# where clouds answer with credentials; link-local ones are refused with all link-local addresses
_METADATA = {ip_address("168.63.129.16"), ip_address("100.100.100.200"), ip_address("fd00:ec2::254")}


def system_addresses(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver gives. Raises OSError when it gives none."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def may_be_reached(text: str, local: bool) -> bool:
    """Whether an address may be connected to; `local` allows loopback and private ones, never link-local or metadata.

    An IPv6 address that carries an IPv4 address (mapped, compatible, NAT64, SIIT, 6to4, Teredo) is judged by both.
    """
    try:
        addresses = list(_with_embedded(ip_address(text)))
    except ValueError:
        return False
    return all(_harmless(item) and (local or _public(item)) for item in addresses)


def _harmless(address: Address) -> bool:
    return not (address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA)


def _public(address: Address) -> bool:
    return address.is_global and not (isinstance(address, IPv6Address) and address.is_site_local)


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
    if any(address in net for net in _ENDING_IN_IPV4):
        yield IPv4Address(int(address) & 0xFFFFFFFF)
