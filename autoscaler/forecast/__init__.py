"""Demand forecasters: what usage will be. PURE: snapshots and arrays in, numbers out; no clock, no randomness, no decisions."""
