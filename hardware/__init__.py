"""Ports to the physical world (cameras, scales, gates) and their drivers."""
