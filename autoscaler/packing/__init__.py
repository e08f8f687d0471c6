"""Placement as arithmetic: arrays in, arrays out. PURE; knows no snapshot, no policy, no ids."""
