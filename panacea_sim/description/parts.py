"""What components share: queues, stores, memories, and channels with the ports that lead to them."""

from __future__ import annotations

from dataclasses import dataclass

from panacea_sim.memory.device import Device

__all__ = ["Channel", "Memory", "Port", "Queue", "Store"]


@dataclass(frozen=True)
class Queue:
    """A bounded first-in first-out queue with one producer and one consumer.

    A token that is given in cycle t can be taken from cycle t + `latency_cycles` on. A slot is free when the
    consumer takes the token.
    """

    name: str
    capacity: int
    latency_cycles: int = 0


@dataclass(frozen=True)
class Store:
    """Tokens that stay and are looked up by index, in the order in which their one producer put them."""

    name: str
    latency_cycles: int = 0


@dataclass(frozen=True)
class Memory:
    """A region limited in bytes, allocated as a ring by one component and released by one component."""

    name: str
    capacity_bytes: int


@dataclass(frozen=True)
class Port:
    """A component's door to the channels: lower `priority` goes first, `outstanding` requests may be in flight."""

    component: str
    priority: int = 0
    outstanding: int = 1


@dataclass(frozen=True)
class Channel:
    """A shared resource: a device that serves the requests of all ports, one decision at a time."""

    name: str
    device: Device
