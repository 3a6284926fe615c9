"""Draws the graph of a plan: as text for a terminal, as SVG without any other program, as DOT, Mermaid and JSON."""
