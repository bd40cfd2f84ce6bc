"""What is believed about general practice before the extracts are read, and why."""

from math import log

from bayestwin.twin.priors import Prior, PriorTable

PRIORS = PriorTable(
    [
        Prior("weekday_effect", "Normal", ((-0.11, -0.17, -0.19, -0.24), (0.1,) * 4), "log multiplier",
              "[E] NHS Monday 1.29 M against Friday 1.09 M appointments (Full Fact)", "Tuesday to Friday against Monday"),
        Prior("saturday", "Normal", (-3.2, 0.5), "log multiplier", "[E] extended access hours only", "Saturday against the average working day"),
        Prior("sunday", "Normal", (-5.0, 0.7), "log multiplier", "[E] few services open", "Sunday against the average working day"),
        Prior("holiday", "Normal", (-5.0, 0.7), "log multiplier", "[E] few services open", "public holiday against the average working day"),
        Prior("christmas", "Normal", (-0.2, 0.15), "log multiplier", "[E] few routine appointments are made around Christmas", "working days from 20 to 31 December"),
        Prior("school_holiday", "Normal", (-0.03, 0.03), "log multiplier", "[E] patients and staff are away; spans from published term dates", "working day on which all schools are closed"),
        Prior("after_closure", "Normal", (0.03, 0.05), "log multiplier", "[E] part of the demand of a closed day comes on the next", "first working day after a public holiday"),
        Prior("eve", "Normal", (-0.3, 0.2), "log multiplier", "[E] many close at noon", "24 and 31 December, beyond the effect of Christmas"),
        Prior("day_concentration", "LogNormal", (log(3000.0), 1.5), "concentration", "[E]", "agreement of a national week's days with the calendar (weekly grid)"),
        Prior("holiday_split", "Normal", (1.0, 1.5), "log concentration", "[E] closed days and absences fall differently each time", "concentration lost in a week in which holidays set places apart"),
        Prior("national_level", "Normal", (log(5.2 / 253), 0.5), "log appointments per patient and working day",
              "5.16 consultations per person-year (Hobbs et al. 2016, Lancet 387:2323) over 253 working days", "national level of recorded attended appointments"),
        Prior("workforce_slope", "Normal", (0.0, 0.1), "log rate per sd", "[E]", "effect of network staff per patient (FTE) on the rate"),
        Prior("sd_region", "HalfNormal", (0.15,), "log rate", "[E] organisation effects, HN(.25) for EHR time", "spread of regions"),
        Prior("sd_board", "HalfNormal", (0.20,), "log rate", "[E] clinic effects, HN(.20)", "spread of boards in their region"),
        Prior("sd_area", "HalfNormal", (0.20,), "log rate", "[E] clinic effects, HN(.20)", "spread of areas in their board"),
        Prior("walk_national", "HalfNormal", (0.02,), "log rate per √week", "[E] annual amplitude HN(.10) is 0.01 a week at its steepest", "weekly step of the national trend"),
        Prior("shock_national", "LogNormal", (log(0.02), 0.5), "log rate", "[E] school holidays, weather, campaigns: never quite absent", "national shock of a single week"),
        Prior("walk_board", "HalfNormal", (0.01,), "log rate per √week", "[E] half the national step", "weekly step of a board's deviation"),
        Prior("shock_board", "HalfNormal", (0.03,), "log rate", "[E] as nationally", "shock of a single week in one board"),
        Prior("concentration_level", "Normal", (log(400.0), 1.5), "log concentration", "[E] weekly totals of an area vary by about 5 % beyond Poisson", "typical NB2 concentration of an area's count"),
        Prior("concentration_sd", "HalfNormal", (0.7,), "log concentration", "[E]", "spread of the concentration over areas"),
        Prior("holiday_dispersion", "Normal", (1.0, 1.0), "log concentration", "[E] term dates and holiday habits differ from place to place", "concentration lost in a week in which holidays set places apart"),
        Prior("closed_concentration", "LogNormal", (log(2.0), 1.0), "concentration", "[E] services open on closed days differ widely", "NB2 concentration of a weekend or holiday (daily grid only)"),
        Prior("minutes_level", "Normal", (log(9.2), 0.3), "log minutes", "UK face-to-face mean 9.2-10.9, telephone 5.3 (Stevens 2017; Gopfert 2020); log median near 9 across staff", "mean log duration, national"),
        Prior("sd_minutes", "HalfNormal", (0.10,), "log minutes", "[E]", "spread of areas' mean log duration"),
        Prior("spread_level", "Normal", (log(0.75), 0.25), "log sd of log minutes", "sd of the log 0.6-0.67 (Neprash 2021; UK 0.6 [E]), wider over several staff groups", "typical spread of durations within an area"),
        Prior("sd_spread", "HalfNormal", (0.10,), "log sd of log minutes", "[E]", "spread over areas of that spread"),
        Prior("duration_shape", "LogNormal", (log(4.0), 0.75), "shape", "[E] large is log-normal; 1 is Weibull-like", "skewness of log durations (generalised gamma)"),
        Prior("null_level", "Normal", (-1.2, 0.7), "log-odds", "[E] 13-47 % of durations are unknown by area", "typical share of durations not recorded"),
        Prior("sd_null", "HalfNormal", (0.7,), "log-odds", "[E] the two system suppliers define duration differently", "spread of that share over areas"),
        Prior("band_sd", "HalfNormal", (0.15,), "log-odds", "[E]", "lasting misfit of an area's bands to the family"),
        Prior("walk_minutes", "HalfNormal", (0.01,), "log-odds per log minute and √week", "[E]", "weekly step of the national tilt towards longer durations"),
        Prior("shock_minutes", "HalfNormal", (0.05,), "log-odds per log minute", "[E] vaccination weeks hold shorter contacts", "tilt of a single week"),
        Prior("band_concentration", "LogNormal", (log(1000.0), 1.0), "concentration", "[E]", "agreement of an area's weekly band shares with their expectation"),
        Prior("null_slope", "Normal", (0.0, 0.25), "log-odds per log minute", "[E] not in the data: see the sensitivity range", "dependence of a missing duration on the duration"),
        Prior("cell_level", "Normal", ((-0.3, 0.2, -0.9, -2.5), (1.0,) * 4), "log-odds against GP face-to-face",
              "[E] GPs about half of appointments, half of theirs remote in 2021", "national mix of staff and mode"),
        Prior("cell_sd", "HalfNormal", ((0.5,) * 4,), "log-odds", "[E]", "spread of boards in that mix"),
        Prior("cell_concentration", "LogNormal", (log(500.0), 1.0), "concentration", "[E]", "agreement of a board's monthly mix with its expectation"),
        Prior("remote_ratio", "LogNormal", (log(5.32 / 9.24), 0.1), "ratio", "telephone 5.32, face-to-face 9.24 minutes (Stevens 2017)", "minutes of a remote contact over a face-to-face one"),
        Prior("other_ratio", "LogNormal", (log(1.4), 0.25), "ratio", "[E] nurse contacts run longer than a GP's; no minutes by staff group are published", "minutes of other staff over a GP's, same mode"),
        Prior("unknown_staff_slope", "Normal", (0.0, 0.5), "log-odds", "[E] not in the data", "GP share among unknown staff against the known share"),
    ]
)  # fmt: skip
