"""The display at an exit: what it says to whoever crosses the gate now."""
