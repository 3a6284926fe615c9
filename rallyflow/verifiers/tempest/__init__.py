"""Tempest: the tests of OpenStack's own developers, against any cloud."""
