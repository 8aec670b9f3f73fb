"""Folders of photos into archives, by one machine or many."""
