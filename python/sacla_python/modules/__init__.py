"""The folder that is put on the module path when asked: dbpy, stpy, olpy, ippy, ctdapy_xfel, ctolpy_xfel, ecpy."""
