"""What each service needs on a server, one module each: pure functions from a site to parts of plans."""
