"""Draw the README's picture from a run of the NHS study: `uv run python docs/images/forecast.py RUN`."""

import sys
from pathlib import Path

from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure

import bayestwin as bt
from bayestwin.report.figures import BLUE, GREY, INK, fan

MILLION = 1e6
PANELS = {"appointments": "England: published (dots), fitted, forecast", "clinician_hours": "Hours: seen only in bands, a quarter Unknown"}


def main(folder: str) -> None:
    """Write forecast.svg beside this file."""
    run = bt.load_run(folder)
    figure = Figure(figsize=(9.2, 2.7), layout="constrained")
    for ax, (quantity, title) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
        tables = run.fitted, run.forecast_groups
        seen, ahead = (table[(table["level"] == "national") & (table["quantity"] == quantity)] for table in tables)
        fan(ax, seen, GREY, MILLION)
        fan(ax, ahead, BLUE, MILLION)
        if seen["observed"].notna().any():
            ax.plot(seen["period_start"], seen["observed"] / MILLION, ".", color=INK, markersize=5)
        ax.set(title=title, ylabel=f"million {quantity.replace('_', ' ')} a week")
        ax.set_ylim(bottom=0)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None}, facecolor="white")


if __name__ == "__main__":
    main(sys.argv[1])
