"""The edge node: a pure core and the drivers around it."""
