"""The commands: wiring and printing only, one file per command group. Nothing here decides anything."""
