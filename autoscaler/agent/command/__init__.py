"""`flexcapsule app ...`: app VMs as processes, for people. One command, in two places.

On a management VM it speaks to the local agent through its unix socket, with nothing but the standard library; on the
controller's machine the same code speaks to all agents over mutual TLS (cli/app.py says which). It asks agents and prints;
what an app VM is and how one is run is theirs.
"""
