"""The commands, one file each. A file imports what is heavy inside the command, so that the others start fast."""
