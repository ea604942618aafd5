"""A document of any kind to text: parsed in bounded processes of their own."""
