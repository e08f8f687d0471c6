"""The lab: cloud VMs on one machine, QEMU machines that boot real Xen, in a network namespace of their own.

It stands beside the adapters because all of it is input and output; it is separate because the controller never drives it:
a controller sees a lab's cloud VMs through the same adapters as a cloud's. No decision about app VMs may be here.
"""
