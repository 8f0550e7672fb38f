"""What a routine says when it cannot say more."""


class Undetermined(ValueError):
    """The samples do not tell what they should; the message says why, and what would be valid."""
