"""Gives a graph as plain data, for programs."""

from __future__ import annotations

from typing import Any

from rallyflow.graphs.model import Drawing, Node


def as_data(drawing: Drawing) -> dict[str, Any]:
    """Return the drawing as JSON data, with all edges; those that others imply say so."""
    return {
        "name": drawing.name,
        "description": drawing.description,
        "run": drawing.run or None,
        "nodes": [_node(node) for node in drawing.nodes],
        "edges": [{"from": edge.source, "to": edge.target, "implied": edge.implied} for edge in drawing.edges],
        "clusters": [
            {"id": cluster.id, "label": cluster.label, "parent": cluster.parent or None} for cluster in drawing.clusters
        ],
    }


def _node(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "label": node.label,
        "kind": node.kind.value,
        "uses": node.uses,
        "cells": node.cells,
        "scope": node.scope or None,
        "if": node.condition or None,
        "states": {state.value: count for state, count in node.states.items()},
    }
