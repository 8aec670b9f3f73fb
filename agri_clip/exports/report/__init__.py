"""The report: one HTML file of a season that opens without network and can be printed.

`season.py` works out the numbers, `charts.py` and `map_chart.py` draw, `sheets.py` chooses the pictures, `words.py`
holds every sentence, and `page.py` puts them into `report.html.jinja`. It needs plotly and jinja2, which take a moment
to import, so import it where it is used.
"""

from agri_clip.exports.report.page import render_report, write_html_report
from agri_clip.exports.report.sheets import Example
from agri_clip.exports.report.words import LANGUAGES

__all__ = ["LANGUAGES", "Example", "render_report", "write_html_report"]
