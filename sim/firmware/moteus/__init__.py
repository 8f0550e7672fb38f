"""moteus controllers: registers, console, modes and control law."""
