"""`provision/lxc`: system containers on this machine, or on servers reached by ssh, in one L3 network."""
