"""SACLA's Python modules over a sacla server. See docs/python.md of sacla."""

__version__ = "0.1.0"
