"""`python -m playground`: the command line, as `tandem` where the package is installed."""

from playground.cli.main import main

if __name__ == "__main__":
    main()
