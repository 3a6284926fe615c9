"""Drivers that nova and cinder load on a server: shipped as files, never imported here."""
