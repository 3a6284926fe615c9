"""Keeps secrets out of everything that is written down: the journal, logs, measurements and reports."""

from rallyflow.masking.mask import Mask, MaskedStream

__all__ = ["Mask", "MaskedStream"]
