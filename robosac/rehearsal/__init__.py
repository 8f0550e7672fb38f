"""The rehearsal of `robosac dry-run`: an operator that breaks things, and a referee."""
