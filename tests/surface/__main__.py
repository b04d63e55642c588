"""`make openapi`: write the description that the app serves."""

from tests.surface.description import FILE, text

FILE.write_text(text(), encoding="utf-8")
