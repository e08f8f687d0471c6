"""FlexCapsule's public names: what a strategy author may import. Nothing else is public."""
