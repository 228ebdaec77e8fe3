"""Answers sacla clients elsewhere from dbpy and stpy on SACLA's own computers."""

__version__ = "0.1.0"
