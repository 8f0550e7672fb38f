"""Durable experience: an outbox on the robot, an inbox at the learner, a SQLite file each."""
