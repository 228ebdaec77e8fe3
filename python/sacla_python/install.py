"""Importing this makes `import dbpy` and the others give the modules of this package. Refuses where real ones are."""

from .paths import install

install()
