"""Who is turned away unheard: addresses that were refused too often lately, at the webhooks or at the login.

An address is that of the connection: what a client says of itself in forwarding headers is not believed. Behind a
reverse proxy everyone has the proxy's address; so that strangers can't lock out HubSpot there, an address from which
something authentic came may be refused far more often before it is.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from starlette.types import Scope

FORGET_BEYOND = 10_000
"""Addresses remembered at once."""
TRUSTED_FOR = 3_600.0
"""Seconds for which something authentic speaks for an address."""


@dataclass(slots=True)
class _Account:
    left: float
    at: float
    trusted_until: float = 0.0


class Refusals:
    """Counts refusals by address; `a_minute` are free, then as many more a minute, evenly. For one event loop.

    `trusted_factor` multiplies both for an address that something authentic speaks for. `clock` gives seconds.
    """

    def __init__(self, a_minute: int, clock: Callable[[], float], *, trusted_factor: int = 1) -> None:
        self._a_minute = a_minute
        self._clock = clock
        self._factor = trusted_factor
        self._accounts: dict[str, _Account] = {}

    def wait(self, address: str) -> float:
        """Seconds until the address is heard again; 0: now."""
        account = self._accounts.get(address)
        if account is None:
            return 0.0
        self._refill(account)
        return max(0.0, (1.0 - account.left) * 60 / self._most(account))

    def refused(self, address: str) -> None:
        """Count one refusal."""
        account = self._account(address)
        self._refill(account)
        account.left = max(0.0, account.left - 1.0)

    def authentic(self, address: str) -> None:
        """Something authentic came from there."""
        if self._factor == 1:
            return
        account = self._account(address)
        self._refill(account)
        if account.trusted_until <= self._clock():
            account.left += self._a_minute * (self._factor - 1)
        account.trusted_until = self._clock() + TRUSTED_FOR

    def _account(self, address: str) -> _Account:
        account = self._accounts.get(address)
        if account is None:
            if len(self._accounts) >= FORGET_BEYOND:
                self._accounts.pop(next(iter(self._accounts)))
            account = self._accounts[address] = _Account(float(self._a_minute), self._clock())
        return account

    def _most(self, account: _Account) -> int:
        return self._a_minute * (self._factor if account.trusted_until > self._clock() else 1)

    def _refill(self, account: _Account) -> None:
        now, most = self._clock(), self._most(account)
        account.left = min(float(most), account.left + (now - account.at) * most / 60)
        account.at = now


def address_of(scope: Scope) -> str:
    """The address a request came from; of IPv6 the network of 64 bits, which is one household or machine."""
    client = scope.get("client")
    return _network_of(str(client[0]) if client else "")


@lru_cache(maxsize=4_096)
def _network_of(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
