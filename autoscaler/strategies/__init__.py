"""The built-in strategies, one file each. PURE: a snapshot in, proposals out; what is safe is the guards' business.

A strategy is a frozen dataclass whose fields are its hyper-parameters (docs/strategies.md). Which there are is listed in
`autoscaler.registry`, so that this room may be imported without importing all of them.
"""
