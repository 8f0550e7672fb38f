"""robosac: a real-robot control stack that learns on the robot with Soft Actor-Critic."""

__version__ = "0.1.0"
