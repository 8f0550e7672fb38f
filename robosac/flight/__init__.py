"""The flight recorder: the newest seconds at full rate, kept whole when something goes wrong."""
