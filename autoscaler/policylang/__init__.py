"""YAML text to typed documents (policy, cluster), or one error with file:line:column. No decisions, no I/O beyond reading the text."""
