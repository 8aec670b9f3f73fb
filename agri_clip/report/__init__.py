"""Pictures and pages for people: annotated photos, contact sheets, and one HTML file of a season.

`season_report.py` asks the archive, `season.py` works out the numbers, `charts.py` and `map_chart.py` draw, `sheets.py`
chooses the pictures, `words.py` holds every sentence, and `page.py` puts them into `report.html.jinja`. The page needs
plotly and jinja2, which take a moment to import, so import it where it is used.
"""
