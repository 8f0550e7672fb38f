"""A camera whose settings are locked and read back, and whose frames tell when they were taken."""
