"""Entry point for `python -m playground`, equivalent to the installed `tandem` command."""

from playground.cli.main import main

if __name__ == "__main__":
    main()
