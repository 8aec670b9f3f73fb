"""The grower's web page: `python app.py` is `agri-clip app`, with the same options."""

import sys

from agri_clip.cli import main

if __name__ == "__main__":
    main(["app", *sys.argv[1:]])
