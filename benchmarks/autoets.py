# /// script
# requires-python = ">=3.12"
# dependencies = ["statsforecast==2.1.1", "pandas<3"]
# ///
"""AutoETS quantiles of weekly series: `uv run --script autoets.py IN.csv OUT.csv WEEKS` (columns unit, period_start, y)."""

import sys

import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import AutoETS

LEVELS = [50, 80, 95]


def main(source: str, target: str, weeks: int) -> None:
    """Fit each unit's series and write its quantiles .025 to .975."""
    past = pd.read_csv(source, parse_dates=["period_start"], dtype={"unit": str})
    frame = past.rename(columns={"unit": "unique_id", "period_start": "ds"})[["unique_id", "ds", "y"]].astype({"y": float})
    made = StatsForecast(models=[AutoETS(season_length=1)], freq="W-MON", n_jobs=1).forecast(df=frame, h=weeks, level=LEVELS).reset_index()
    names = {"q0.5": "AutoETS"}
    names |= {f"q{0.5 - level / 200:g}": f"AutoETS-lo-{level}" for level in LEVELS}
    names |= {f"q{0.5 + level / 200:g}": f"AutoETS-hi-{level}" for level in LEVELS}
    table = {"unit": made["unique_id"], "period_start": made["ds"], **{name: made[column] for name, column in names.items()}}
    pd.DataFrame(table).to_csv(target, index=False)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
