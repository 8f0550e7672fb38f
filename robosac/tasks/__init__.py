"""Gymnasium environments on top of the executor; importing this package registers them.

`gymnasium.make("robosac.tasks:robosac/ClawTurn-v0")` imports and makes in one call.
"""

import gymnasium

WALK_ID = "robosac/MinitaurWalk-v0"
CLAW_IDS = {
    "robosac/ClawTurn-v0": ("claw", "paper"),
    "robosac/ClawTurnPixels-v0": ("claw-pixels", "paper"),
    "robosac/RobelTurnFixed-v0": ("claw", "robel-turn-fixed"),
    "robosac/RobelTurnRandom-v0": ("claw", "robel-turn-random"),
    "robosac/RobelScrewFixed-v0": ("claw", "robel-screw-fixed"),
    "robosac/RobelScrewRandom-v0": ("claw", "robel-screw-random"),
}
"""The preset and the definition of each of the hand's tasks."""

gymnasium.register(id=WALK_ID, entry_point="robosac.assembly:make_walk")
for _id, (_preset, _definition) in CLAW_IDS.items():
    gymnasium.register(
        id=_id,
        entry_point="robosac.assembly:make_claw_task",
        kwargs={"preset": _preset, "definition": _definition},
    )
