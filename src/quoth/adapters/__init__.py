"""Quoth as a part of other frameworks: one module for each, which needs its library.

- :mod:`quoth.adapters.haystack`: components for Haystack 3.
- :mod:`quoth.adapters.langchain`: a retriever and a runnable for LangChain.
- :mod:`quoth.adapters.mcp`: a server of tools for agents (Model Context Protocol); ``quoth mcp`` runs it.
"""
