"""The whole hub under every fault there is, by seed. See docs/torture.md."""
