"""A cluster that exists in memory: world, migration model, faults, trace reading, score. Knows nothing of policies."""
