"""Names of what an evaluation leaves in its folder, beside episodes.json and the policy."""

TRACE, ERRORS = "trace.npz", "errors.npz"
VIDEO = "episode"
"""Its suffix depends on the encoder."""
VIDEOS = (f"{VIDEO}.webm", f"{VIDEO}.webp", "walk.webm", "walk.webp")
"""Names a video may have, the older ones last."""
