"""`python -m node.cli`: the command line, where the console script is not at hand."""

from __future__ import annotations

from node.cli.main import main

if __name__ == "__main__":
    main()
