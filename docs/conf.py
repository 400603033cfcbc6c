"""How the pages are built: `make docs`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "examples"))  # models of the gallery: after each block it puts its own path back
sys.path.insert(0, str(HERE.parent))
from tests.site import made  # noqa: E402 - what runs the pages

project = "flowcore"
author = "flowcore developers"
copyright = f"2026, {author}"
version = release = "0.1.0"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples", "gallery"]  # shown in pages; made of scripts
suppress_warnings = ["config.cache", "toc.empty_glob"]  # sphinx_gallery_conf names functions; a folder may be new
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "pydata_sphinx_theme"
html_title = "flowcore"
html_theme_options = {
    "show_prev_next": False,
    "header_links_before_dropdown": 2,
    "secondary_sidebar_items": ["page-toc"],
}
html_show_sourcelink = False
sphinx_gallery_conf = {
    "examples_dirs": ["gallery"],
    "gallery_dirs": ["auto_gallery"],
    "filename_pattern": r"/plot_",
    "download_all_examples": False,
    "show_signature": False,
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": (),  # workers are told which modules there are
}
nitpicky = True
autodoc_typehints = "none"  # a parameter's section says what it is
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # autodoc lists them
html_extra_path = ["_build/made"]  # reports that pages show; pictures are found by their paths


def setup(app: object) -> None:
    """Have made what pages show."""
    made.make(HERE / "_build" / "made")
