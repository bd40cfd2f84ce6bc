"""Nowcasts: what happened, from what has been reported so far.

    triangle = read_triangle(Path("triangle.csv.gz"))
    nowcast(triangle, date(2021, 10, 12), lead="DE,00+")

Everything is computed in double precision, whatever JAX is set to elsewhere.
"""

from bayestwin.nowcast.model import Shape
from bayestwin.nowcast.nowcasting import Settings, nowcast
from bayestwin.nowcast.read import read_triangle
from bayestwin.nowcast.triangle import Triangle

__all__ = ["Settings", "Shape", "Triangle", "nowcast", "read_triangle"]
