"""The decision core: model, snapshot, guards, planner, saga, engine. PURE: no I/O, clock, randomness, logging, YAML or pandas."""
