"""Generates the vocabulary (archetypes, components, datatypes) from the data of Rerun's type system.

``python -m aiorerun._codegen`` writes all generated modules, ``--check`` compares them with what is
there. Not part of the wheel.
"""
