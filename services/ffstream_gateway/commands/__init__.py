"""The commands of ``ffstream``, by theme. What is slow to import is imported by the command that needs it."""
