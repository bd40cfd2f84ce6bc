"""What is believed about clinicians' work before any extract is read, and why.

Levels are per standard day (8 scheduled hours) and standard panel (1,800 patients).
"""

from math import log

import numpy as np

from bayestwin.twin.priors import Prior, PriorTable

ARNDT = "Arndt 2024 (Ann Fam Med 22:12), per 8 scheduled hours"

USUAL_CLOSED = 0.28  # messages of a closed day over a working day's
# Working days' worth of messages that arrive per scheduled day: weekends, leave (1 week in 13), holidays (11 of 260).
ARRIVING = (1.0 + 2 * USUAL_CLOSED / 5) * 13 / 12 * 260 / 249

PRIORS = PriorTable(
    [
        Prior("message_level", "Normal", (tuple(log(per_8_hours / ARRIVING) for per_8_hours in (15.0, 14.0, 11.0, 24.0)), (0.5, 0.4, 0.35, 0.45)), "log messages per working day and 1,800 patients", ARNDT, "advice requests, prescriptions, results, calls"),
        Prior("visit_level", "Normal", ((log(14.0), log(3.0)), (0.25, 0.5)), "log requests per working day and 1,800 patients", "20.1 visits a day (Gilchrist 2005); 96 a week (AAFP 1998); a fifth of them remote [E]", "requests for visits in person and remote"),
        Prior("sd_organisation", "HalfNormal", (0.25,), "log rate", "90:10 ratio 1.94 of organisations' means (PMC10771898): sd .26", "spread of organisations' demand"),
        Prior("sd_clinic", "HalfNormal", (0.20,), "log rate", "[E]", "spread of clinics in their organisation"),
        Prior("sd_messages", "HalfNormal", ((0.55, 0.40, 0.40, 0.40),), "log rate", "advice: groups 206/505/840 a quarter (lower bound .53); others [E]", "spread of providers' messages by stream"),
        Prior("sd_visits", "HalfNormal", ((0.20, 0.40),), "log rate", "[E]", "spread of providers' visit requests by mode"),
        Prior("correlation", "Beta", (2.0, 2.0), "correlation", "[E]", "correlation between a provider's streams of demand"),
        Prior("weekday_effect", "Normal", ((0.14, 0.03, -0.03, -0.05, -0.10), (0.07,) * 5), "log multiplier", "[E] NHS Monday 1.29 M against Friday 1.09 M (Full Fact)", "messages by working day"),
        Prior("calls_monday", "Normal", (0.19, 0.15), "log multiplier", "[E] one practice: Monday calls 1.40 times the mean", "calls on Mondays beyond other messages"),
        Prior("closed_effect", "Normal", (-1.27, 0.4), "log multiplier", "[E] weekend share of messages 5-15 %", "messages on a weekend day or holiday"),
        Prior("after_closure", "Normal", (0.10, 0.10), "log multiplier", "[E]", "first working day after a public holiday"),
        Prior("season_amplitude", "HalfNormal", (0.10,), "log multiplier", "highest month about 20 % above lowest (Waller & Hodgkin); another study none (Hallam 1985)", "annual amplitude of demand"),
        Prior("growth", "Normal", (0.03, 0.03), "log per year", "[E] inbox -3 % in the last year after the surge (Arndt 2024)", "growth of messages"),
        Prior("walk", "HalfNormal", (0.02,), "log per √week", "[E]", "weekly step of what all providers' messages have in common"),
        Prior("sd_week", "HalfNormal", (0.15,), "log rate", "[E] no provider-week figure found", "a provider's weeks about their mean"),
        Prior("week_memory", "Beta", (4.0, 4.0), "correlation", "[E]", "what is left of a week's departure in the next"),
        Prior("concentration", "LogNormal", ((log(10.0),) * 4, (0.6,) * 4), "concentration", "[E] no provider-day figure found", "NB2 concentration of a day's messages by stream"),
        Prior("age_effect", "Normal", ((0.25, 0.60), (0.20, 0.20)), "log multiplier", "[E]", "demand of patients aged 40-64 and 65+ against 18-39"),
        Prior("multimorbid_effect", "Normal", (0.60, 0.20), "log multiplier", "[E]", "demand of patients with several conditions"),
        Prior("portal_effect", "Normal", (0.80, 0.30), "log multiplier", "[E]", "advice requests of portal users"),
        Prior("no_show", "Beta", (2.6, 17.4), "probability", "mean 15.2, median 12.9 % of 19 studies (Parsons 2021)", "no-show without a wait"),
        Prior("giving_up", "Beta", (3.0, 97.0), "per day", "[E]", "share of those waiting who give up in a day"),
        Prior("message_minutes", "Normal", ((log(2.3), log(0.8), log(0.8), log(0.8)), 0.4), "log minutes", "2.32 EHR minutes per extra patient message (Holmgren 2022); 66.8 min per 76.9 notifications (Murphy 2016)", "minutes per item by stream"),
        Prior("visit_minutes", "Normal", ((log(18.0), log(13.6)), (0.15, 0.3)), "log minutes", "21.0 M visits, mean 18 (Neprash 2021); remote [E]", "mean minutes with a patient, in person and remote"),
        Prior("documentation_level", "Normal", (log(15.0), 0.35), "log minutes per visit", "(129 + 62 + 63) / 16 (Arndt 2024); 16.2 min per encounter (Overhage 2020)", "notes, chart review and orders"),
        Prior("sd_documentation_clinic", "HalfNormal", (0.20,), "log minutes", "[E]", "spread of clinics' documentation"),
        Prior("sd_documentation", "HalfNormal", (0.30,), "log minutes", "total sd of the log .34 (Rotenstein 2023)", "spread of providers' documentation"),
        Prior("sd_speed", "HalfNormal", (0.20,), "log minutes", "[E]", "spread of providers' minutes per message"),
        Prior("overlap", "Beta", (7.0, 13.0), "share", "23.6 of 66.5 % (Toscano 2020)", "documentation done while with the patient"),
        Prior("admin_minutes", "Normal", (log(60.0), 0.3), "log minutes per 8 scheduled hours", "392 less the other parts (Arndt 2024)", "other EHR work"),
        Prior("usable_level", "Normal", (log(0.87), 0.04), "log minutes per scheduled minute", "[E] Beta(35, 5) for a provider, mean .875, set so that after-hours minutes come out as published", "usable time of a scheduled minute; above one where breaks are worked through"),
        Prior("sd_usable", "HalfNormal", (0.05,), "log minutes per scheduled minute", "[E] sd .05 of that Beta", "spread of providers' usable time"),
        Prior("cleared_level", "Normal", (log(4.0), 0.5), "log-odds", "[E] Beta(12, 3) for a provider", "share of a working day's spill that is done after hours"),
        Prior("sd_cleared", "HalfNormal", (0.50,), "log-odds", "[E]", "spread of providers' share"),
        Prior("cleared_off", "Beta", (5.0, 5.0), "share", "[E] 82 of 166 after-hours minutes fall on unscheduled days (Arndt 2024)", "share of the backlog that is done on a day off"),
        Prior("memory", "Beta", (16.0, 4.0), "share", "[E]", "fatigue left after a working day"),
        Prior("tlx_level", "Normal", (log(0.65 / 0.35), 0.18), "log-odds of score / 100", "260.9 of 400 (Harry 2021)", "task load at a full day's work"),
        Prior("tlx_slope", "Normal", (1.2, 0.6), "log-odds per unit utilisation", "[E] correlation .54 with time to complete in 9 physicians: the largest unsupported prior", "task load against utilisation"),
        Prior("sd_tlx", "HalfNormal", (0.70,), "log-odds", "total sd 17.9 points (Harry 2021), 15 of them between persons [E]", "spread of providers' task load"),
        Prior("tlx_noise", "LogNormal", (log(0.40), 0.3), "log-odds", "[E] 9 points from day to day", "one survey's departure"),
        Prior("vendor_factor", "Normal", (0.0, 0.10), "log factor", "[E] one vendor stops the clock after 5 s idle, another after 45 s", "what a vendor's clock shows of a minute"),
        Prior("metric_noise", "LogNormal", ((log(0.05),) * 4, (0.5,) * 4), "log sd", "[E]", "a vendor metric's weekly error by metric"),
        Prior("turnaround_prompt", "LogNormal", (log(0.5), 0.5), "days", "[E] no figure by provider found", "until a message is done where nothing is carried over"),
        Prior("turnaround_noise", "LogNormal", (log(0.15), 0.4), "log sd", "[E]", "a week's mean turnaround about its expectation"),
        Prior("sd_drift", "HalfNormal", (0.03,), "log factor", "[E] constrained model discrepancy (Brynjarsdottir & O'Hagan 2014)", "slow departure of a clinic's metrics from the model"),
    ]
)  # fmt: skip

CV_ITEM = 1.2  # of one message's minutes (no figure by item found: [E])
CV_VISIT = 0.75  # exam minutes: mean 18, sd 13.5 (Neprash 2021)
CV_DOCUMENTATION = 0.7  # [E]
NEAR_ZERO = 5.0  # minutes: sd of a week's after-hours metric that does not shrink with it


def first_parameter(name: str) -> np.ndarray:
    """Of a prior: the mean of a normal law, the scale of a half-normal one."""
    return np.asarray(PRIORS[name].parameters[0])
