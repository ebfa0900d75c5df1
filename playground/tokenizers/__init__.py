"""Tokenizer files: inspecting them, and loading tokenizers from them."""
