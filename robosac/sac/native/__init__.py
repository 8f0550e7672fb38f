"""The whole update as one C++ function, built on demand where there is a compiler; never required.

`robosac.sac.agent.Sac` is the reference: `NativeSac` shares its storage and is tested equal to it.
"""
