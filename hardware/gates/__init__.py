"""Gate drivers: scanners that read a shopper's code."""

from hardware.gates.shm import GateRingWriter, ShmGate, ShmGateSettings

__all__ = ["GateRingWriter", "ShmGate", "ShmGateSettings"]
