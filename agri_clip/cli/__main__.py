"""`python -m agri_clip.cli` is the command line."""

from agri_clip.cli import main

if __name__ == "__main__":
    main()
