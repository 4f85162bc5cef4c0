"""Devices: sequences per boot, clocks, watermarks and the configuration of nodes."""
