"""Deploy engines, one module each."""
