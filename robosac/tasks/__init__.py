"""Gymnasium environments on top of the executor; importing this package registers them.

`gymnasium.make("robosac.tasks:robosac/MinitaurWalk-v0")` imports and makes in one call.
"""

import gymnasium

WALK_ID = "robosac/MinitaurWalk-v0"

gymnasium.register(id=WALK_ID, entry_point="robosac.assembly:make_walk")
