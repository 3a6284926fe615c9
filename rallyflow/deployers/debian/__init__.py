"""The deploy engine `deploy/debian`: OpenStack from Debian's packages, on servers that are there.

`layout` says which server plays which roles, `site` what all services have to know, `services` what each of them
needs on a server; `plans` puts that together, and the program in `agent` brings a server to its plan.
"""
