"""The program that brings one server to its plan; it runs there, as root, with nothing but Debian's python3.

Its modules import the standard library and each other only (relatively: on the server they are in a package of
another name). The side that makes plans uses the same words, from `plan`.
"""
