"""Serve the Tandem page with `python app.py`, as a Hugging Face Space does. Same as `tandem serve`."""

from playground.cli.main import main_serve

if __name__ == "__main__":
    main_serve()
