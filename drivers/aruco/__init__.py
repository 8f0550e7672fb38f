"""A marker on the robot, seen by a calibrated overhead camera: place and forward velocity."""
