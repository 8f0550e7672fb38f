"""What must hold of a robot and its computer before it is armed: facts, rows, and the gate."""
