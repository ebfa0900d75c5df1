"""Entry point for `python -m playground`, the same command line as `tandem` in an installed package."""

from playground.cli.main import main

if __name__ == "__main__":
    main()
