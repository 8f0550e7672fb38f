"""Dynamixel X servos and the line they share."""
