"""Serve the Tandem page, equivalent to `tandem serve`. Hugging Face Spaces run this file."""

from playground.cli.main import main_serve

if __name__ == "__main__":
    main_serve()
