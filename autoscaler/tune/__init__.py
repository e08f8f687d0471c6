"""Many replays, one ranked table."""
