"""The gate that every connection out goes through: who may be reached is said by the connection, and by the installation.

A connection reaches only the hosts and ports it names. The host is resolved once, each of its addresses is judged, and the caller
connects to the address that was judged (``Destination.address``), never to the name again. Private and loopback addresses are refused
unless the installation, not the project, lists them in ``TREATY_EGRESS_PRIVATE`` (networks parted by commas:
``10.2.0.0/16,127.0.0.1``). Link-local addresses, where clouds keep their credentials, and tunnels are refused always.
Proxy settings of the environment are not read here or by any connector.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from treaty.errors import RetryError, StopError

PRIVATE_SETTING = "TREATY_EGRESS_PRIVATE"
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# An installation may list parts of these.
PRIVATE = tuple(
    ipaddress.ip_network(each)
    for each in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
# Nobody may: this network, link-local, protocol assignments, documentation, 6to4 and its relays, benchmarks, multicast, reserved;
# IPv4 within IPv6 (compatible, NAT64 in both prefixes, Teredo, 6to4), discard, link-local, site-local.
NEVER = tuple(
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23",
        "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
LABEL = re.compile(r"^(?!-)[a-z0-9_-]{1,63}(?<!-)$")
NUMERIC = re.compile(r"^(?:0x[0-9a-f]*|\d+)$")


@dataclass(frozen=True, slots=True)
class Destination:
    """A host that may be reached: its name, for certificates, and the one address to connect to."""

    host: str
    port: int
    address: str
    private: bool  # on a network that the installation lists


def ensure_allowed(host: str, port: int, allowed: Iterable[tuple[str, int]]) -> Destination:
    """Return where to connect. ``allowed`` is what the connection names.

    Raises StopError where it may not be reached, RetryError where the name cannot be resolved now.
    """
    name = normalise_host(host)
    if (name, port) not in {(normalise_host(each), number) for each, number in allowed}:
        raise StopError(f"{name}:{port} is not named by this connection.", remedy="Name the host and port in its `connection`.")
    listed = _listed_networks()
    judged = [(address, _judge(name, address, listed)) for address in _resolve(name, port)]
    address, private = judged[0]
    return Destination(name, port, str(address), private)


def normalise_host(host: str) -> str:
    """Return a host in lower case. Raises StopError for spellings that resolvers read as something else."""
    name = host.lower()
    if "%" not in name:  # a zone of an IPv6 address may hold anything
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(name.removeprefix("[").removesuffix("]") if ":" in name else name))
    labels = name.split(".")
    if len(name) > 253 or not all(LABEL.match(label) for label in labels) or NUMERIC.match(labels[-1]):
        raise StopError(
            f"{host!r} is not the plain name or address of a host.",
            remedy="Write a name in ASCII (international ones as xn--…) or an address such as 192.0.2.1 or 2001:db8::1.",
        )
    return name


def _resolve(name: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except OSError as error:
        raise RetryError(f"the name {name} cannot be resolved ({error.strerror or error}).", remedy="Check the host and the network.") from None
    addresses = dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found)
    return [ipaddress.ip_address(each) for each in addresses]


def _listed_networks() -> list[Network]:
    listed: list[Network] = []
    for each in os.environ.get(PRIVATE_SETTING, "").split(","):
        if each.strip():
            try:
                listed.append(ipaddress.ip_network(each.strip()))
            except ValueError:
                raise StopError(f"{PRIVATE_SETTING}: {each.strip()!r} is not a network.", remedy="Write it like 10.2.0.0/16.") from None
    return listed


def _judge(name: str, address: Address, listed: list[Network]) -> bool:
    """Return whether the address is private and listed. Raises StopError where it may not be reached."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    shown = name if name == str(address) else f"{name} ({address})"
    if _within(address, PRIVATE):
        if _within(address, listed):
            return True
        raise StopError(f"{shown} is a private address.", remedy=f"Whoever runs Treaty can list it: {PRIVATE_SETTING}={address}.")
    if _within(address, NEVER):
        raise StopError(f"{shown} is an address that Treaty never connects to.", remedy="Name a host with an ordinary address.")
    return False


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
