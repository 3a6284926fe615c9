"""SSH: connections whose host keys are checked, and commands that really end.

paramiko is imported when something is first connected to, and its exceptions never leave this package.
"""
