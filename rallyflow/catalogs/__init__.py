"""Catalogs: folders of workflows that others use by name and version, pinned by content, found without a network."""

from rallyflow.catalogs.problem import CatalogProblem
from rallyflow.catalogs.resolving import Located, is_catalog_reference, resolve

__all__ = ["CatalogProblem", "Located", "is_catalog_reference", "resolve"]
