"""Stop buttons: normally closed, so that a broken wire, a pulled plug and a press are the same."""
