"""Serve the Tandem page: `python app.py`, as run by a Hugging Face Space; the same as `tandem serve`."""

from playground.cli.main import main_serve

if __name__ == "__main__":
    main_serve()
