"""Makes matplotlib's output fit for a page.

Colours become custom properties (so that the page's dark scheme reaches the pictures), style attributes become classes
(so that the page's policy can forbid inline styles), and identifiers become unique within the page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from matplotlib.figure import Figure

from drillbook.evidence.render.plots.canvas import NAMES, Sheet

_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_FONT_FAMILY = re.compile(r"font-family:[^;]*;?")
_FONT_SHORT = re.compile(r"font: ([\d.]+px) [^;]*;?")
_LONG_DECIMAL = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True, slots=True)
class Picture:
    """One inline SVG element, and what it shows in words (also its accessible description)."""

    svg: str
    words: str


def finish(figure: Figure, name: str, title: str, words: str, sheet: Sheet) -> Picture:
    """The figure as a picture of the page: with its title and words, tidied, its styles in the sheet."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    root = ElementTree.fromstring(buffer.getvalue())
    view = root.attrib["viewBox"]
    for holder in list(root.iter()):
        for child in [child for child in holder if child.tag == f"{_SVG}style"]:
            holder.remove(child)
    used = {reference for element in root.iter() for reference in _references(element)}
    for element in root.iter():
        _tidy(element, name, used, sheet)
    root.attrib = {
        "class": "picture",
        "viewBox": view,
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-words",
    }
    for place, (tag, text) in enumerate((("title", title), ("desc", words))):
        child = ElementTree.Element(tag, {"id": f"{name}-{'title' if tag == 'title' else 'words'}"})
        child.text = text
        root.insert(place, child)
    return Picture(ElementTree.tostring(root, encoding="unicode"), words)


def _references(element: ElementTree.Element) -> Iterator[str]:
    for attribute, value in element.attrib.items():
        if attribute == f"{_XLINK}href":
            yield value.removeprefix("#")
        yield from _REFERENCE.findall(value)


def _tidy(element: ElementTree.Element, name: str, used: set[str], sheet: Sheet) -> None:
    """Plain names, short numbers, classes for styles, identifiers that are unique in the page."""
    element.tag = element.tag.removeprefix(_SVG)
    old, element.attrib = element.attrib, {}
    for attribute, value in old.items():
        if attribute == "id":
            if value in used:
                element.set("id", f"{name}-{value}")
        elif attribute == "style":
            declarations = _declarations(value)
            if declarations:
                element.set("class", sheet.name(declarations))
        elif attribute == f"{_XLINK}href":
            element.set("href", f"#{name}-{value.removeprefix('#')}")
        elif attribute == "transform" and value.startswith("rotate(-0 "):
            continue
        else:
            short = _LONG_DECIMAL.sub(lambda found: f"{float(found[0]):.2f}", value)
            own = _REFERENCE.sub(lambda found: f"url(#{name}-{found[1]})", short)
            element.set(attribute, " ".join(own.split()))
    if element.tag != "text":
        element.text = None
    element.tail = None


def _declarations(style: str) -> str:
    style = _FONT_FAMILY.sub("", _FONT_SHORT.sub(r"font-size: \1;", style))
    for stand_in, name in NAMES.items():
        style = style.replace(stand_in, f"var(--{name})")
    style = style.replace("#000000", "var(--ink)")
    return ";".join(part.strip().replace(": ", ":") for part in style.split(";") if part.strip())
