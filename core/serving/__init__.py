"""Answering predictions from memory and local disk, and losing none."""
