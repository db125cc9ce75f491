"""The egress gate: nothing is reached that the connection and the installation do not both allow (E3)."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from treaty.connectors.egress import NEVER, PRIVATE_SETTING, ensure_allowed, normalise_host
from treaty.errors import RetryError, StopError

LOOPBACK_SPELLINGS = (
    "2130706433", "0x7f000001", "0x7f.1", "127.1", "127.0.1", "0177.0.0.1", "0177.0.0.01", "①②⑦.⓪.⓪.①", "127。0。0。1", "127.0.0.1.", "localhost.",
    "%31%32%37.0.0.1", "127.0.0.1%00", "user@127.0.0.1", "127.0.0.1:80", "127.0.0.1/", "//127.0.0.1", "127.0.0.1#", "127.0.0.1 ", " 127.0.0.1",
    "[127.0.0.1]", "0", "", ".", "..", "a..b", "-a.b", "a-.b", "host\\name", "host\tname", "host\nname", "ex_ample..com", "x" * 64 + ".com", "1.2.3",
    "1.2.3.4.5", "0x7f000001.", "127.000.000.001", "é.example", "::ffff:127.0.0.1%1\n", "/var/run/postgresql", "@abstract", "a,b",
)  # fmt: skip
PRIVATE = (
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "::1", "fd00::1",
    "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "0:0:0:0:0:0:0:1", "[::1]",
)  # fmt: skip
FORBIDDEN = (
    "169.254.169.254", "0.0.0.0", "192.0.0.8", "192.0.2.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "fec0::1", "fe80::1", "ff02::1", "::127.0.0.1", "2001:db8::1",
    "::ffff:169.254.169.254", "100::1", "192.88.99.1",
)  # fmt: skip


def _reach(host: str, port: int = 443) -> Any:
    return ensure_allowed(host, port, [(host, port)])


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
def test_odd_spellings_are_no_hosts(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a resolver may read as another host is refused before it is resolved, also where loopback is listed."""
    monkeypatch.setenv(PRIVATE_SETTING, "127.0.0.0/8")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: pytest.fail("it was resolved"))
    with pytest.raises(StopError):
        _reach(host)


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_need_the_installations_leave(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused without the setting, allowed by it, and then said to be private."""
    monkeypatch.delenv(PRIVATE_SETTING, raising=False)
    with pytest.raises(StopError, match=PRIVATE_SETTING):
        _reach(host)
    monkeypatch.setenv(PRIVATE_SETTING, "10.0.0.0/8, 127.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,::1,fd00::/8")
    assert _reach(host).private


@pytest.mark.parametrize("host", FORBIDDEN)
def test_some_addresses_are_never_reached(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the installation lists everything."""
    monkeypatch.setenv(PRIVATE_SETTING, "0.0.0.0/0,::/0")
    with pytest.raises(StopError, match="never connects"):
        _reach(host)


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_is_resolved_once_and_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was judged is the one to connect to: a name that answers otherwise the next time gains nothing."""
    asked = _resolve_to(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    found = _reach("Rebind.Example")
    assert ("rebind.example", "8.8.8.8", False) == (found.host, found.address, found.private)
    assert ["rebind.example"] == asked


def test_one_private_answer_among_public_ones_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """All answers are judged, not the first."""
    _resolve_to(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(StopError, match="private"):
        _reach("mixed.example")


def test_only_what_the_connection_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host, or another port of the host, is not reached."""
    _resolve_to(monkeypatch, ["8.8.8.8"])
    for host, port in (("other.example", 443), ("named.example", 80)):
        with pytest.raises(StopError, match="not named"):
            ensure_allowed(host, port, [("named.example", 443)])


def test_a_name_that_does_not_resolve_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a definite no that may pass."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: (_ for _ in ()).throw(socket.gaierror(-2, "Name or service not known")))
    with pytest.raises(RetryError):
        _reach("gone.example")


def test_the_table_covers_what_python_calls_global() -> None:
    """Addresses that Python counts as global, and are not ordinary hosts, are in our own table."""
    for each in ("64:ff9b::7f00:1", "2002:7f00:1::", "fec0::1", "192.0.0.8"):
        address = ipaddress.ip_address(each)
        assert any(address in network for network in NEVER if network.version == address.version)


def test_plain_names_pass() -> None:
    """In lower case."""
    assert ["db-1.example.com", "xn--bcher-kva.example", "localhost", "10.1.2.3", "fd00::1"] == [
        normalise_host(each) for each in ("DB-1.example.com", "xn--bcher-kva.example", "localhost", "10.1.2.3", "FD00:0::1")
    ]
