"""The tabs of the page, one file each; a tab only joins components with jobs of the package."""
