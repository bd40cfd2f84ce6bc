"""A study of the bakery model: hidden small counts, a shop that gave nothing, a stream that no extract feeds."""

from pathlib import Path

import numpy as np
import pandas as pd

SHOPS = {"S1": "High Street", "S2": "High Street", "S3": "Mill Lane", "S4": "Mill Lane"}
STUDY = """
name = "bakery"
model = "{model}"
question = "How many loaves?"
audience = "Bakers"
as_of = 2024-03-31
horizon_weeks = 3

[calendar]
country = "GB"

[hierarchy]
file = "shops.csv"
columns = {{ shop = "shop", street = "street", town = "town" }}
names = "name"

[[extract]]
name = "tills"
stream = "bread"
file = "bread.csv"
level = "shop"
measure = "visits"
columns = {{ unit = "shop", event = "week", value = "loaves" }}
resolution = "week"

[[extract.barriers]]
kind = "suppress"
below = 8
"""


def write_bakery(folder: Path) -> Path:
    rng = np.random.default_rng(3)
    folder.mkdir(parents=True)
    pd.DataFrame({"shop": list(SHOPS), "street": list(SHOPS.values()), "town": "all", "name": [f"Baker {s}" for s in SHOPS]}).to_csv(
        folder / "shops.csv", index=False
    )
    weeks = pd.date_range("2024-01-01", periods=12, freq="7D")
    sold = {
        (shop, week): rng.negative_binomial(30, 30 / (30 + mean))
        for shop, mean in zip(SHOPS, (6, 20, 40, 15), strict=True)
        for week in weeks
    }
    rows = [(s, w.date(), "*" if 0 < n < 8 else n) for (s, w), n in sold.items() if s != "S4" or w < weeks[6]]
    pd.DataFrame(rows, columns=["shop", "week", "loaves"]).to_csv(folder / "bread.csv", index=False)
    (folder / "study.toml").write_text(STUDY.format(model=Path(__file__).parent / "bakery"), encoding="utf-8")
    return folder
