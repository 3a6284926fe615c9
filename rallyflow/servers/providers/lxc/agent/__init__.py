"""What runs on a host of containers, as root, under its own python3 (3.10 or newer) and with nothing but its library.

`remote.Agent` sends these modules along with every call, so that a host needs no installation of ours. A call makes
one thing so, whatever an earlier one that was killed has left; its result and its errors are JSON.
"""
