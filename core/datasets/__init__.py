"""Data sets that ship with the product, and the ways to fetch, check and watch others."""
