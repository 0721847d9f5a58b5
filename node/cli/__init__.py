"""The command line: one program, a group of commands for each role."""
