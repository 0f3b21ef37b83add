"""The charts of the page, computed as SVG coordinates for its template: pairs, training, the days of photos.

geometry scales axes and places ticks; each other module draws one kind of chart.
"""
