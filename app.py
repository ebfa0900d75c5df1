"""Tandem as a page: `python app.py`, which a Hugging Face Space runs; `tandem serve` is the same."""

from playground.cli.main import main_serve

if __name__ == "__main__":
    main_serve()
