"""How Sphinx builds the site: ``make docs``. Its sources are this folder and the other Markdown files of the repository."""

import logging
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT), str(ROOT / "services")]

import made  # noqa: E402

import ffstream  # noqa: E402

project = "ffstream"
version = release = ffstream.__version__
root_doc = "docs/index"
include_patterns = ["docs/**", "benchmarks/**.md", "deploy/README.md", "tests/MUTATIONS.md", "README.md", "CHANGELOG.md"]
exclude_patterns = [".*", "build", "ffstream", "services", "examples", "**/__pycache__"]  # not looked into
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["myst.header", "toc.not_included"]

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"ffstream {version}"
html_copy_source = False
html_extra_path = ["site"]

logging.getLogger("ffstream").setLevel(logging.ERROR)


simple: dict[str, list[str]] = {}


def equations(app: object, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """Show as it is what a docstring sets apart by indenting it: equations, drawings, code."""
    before, told = "", []
    for number, line in enumerate(lines):
        apart = line.startswith("    ") and number and not lines[number - 1] and before and not before.startswith(" ")
        if apart and not before.endswith("::"):
            told += ["::", ""]
        told.append(line)
        before = line or before
    lines[:] = told
    if what in ("attribute", "data", "property") and "Raises:" not in lines:
        simple[name] = told


def no_types(app: object, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """Of what is one sentence Napoleon takes all before a colon for a type; it is none."""
    lines[:] = simple.pop(name, lines)


def setup(app: Sphinx) -> None:
    """Write the pages that are made of the code."""
    made.write(HERE / "made")
    app.connect("autodoc-process-docstring", equations, priority=400)
    app.connect("autodoc-process-docstring", no_types, priority=600)
