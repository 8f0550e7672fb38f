"""Bytes and devices: codecs that do no I/O, and buses that own one wire each."""
