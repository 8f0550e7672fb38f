"""The HI91, a cheap inertial sensor."""
