"""Live stock: where every piece is, by decisions."""
