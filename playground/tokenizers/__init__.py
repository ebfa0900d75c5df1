"""Functions for inspecting tokenizer files and loading tokenizers."""
