"""The field's standard consolidation experiment as CloudSim 3.0.3 runs it, quirks included: a world of its own, on arrays.

Separate from sim's World because it reproduces somebody else's simulator, digit by digit: app VMs that idle vanish, memory
counts only once, idle hosts are free. Decisions come in as a function; no policy file, no trace file is read here.
"""
