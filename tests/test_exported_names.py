import subprocess
import sys

import bayestwin as bt


def test_every_public_name_is_there_and_no_other() -> None:
    assert set(bt.__all__) == set(bt._HOME)
    for name in bt.__all__:
        assert getattr(bt, name).__name__ == name


def test_public_name_survives_the_import_of_all_submodules() -> None:
    import bayestwin.calibration
    import bayestwin.simulate

    assert callable(bt.calibrate)
    assert callable(bt.forecast)
    assert callable(bt.validate)
    assert bayestwin.calibration.calibrate is bt.calibrate


def test_arviz_may_be_imported_first() -> None:
    """ArviZ leaves a lazy NumPyro behind, of which `import numpyro.distributions` would load a second copy."""
    look = "import numpyro; numpyro.handlers.seed(lambda: numpyro.factor('weight', 0.0), 0)()"
    for first_used in ("prepared", "infer.predictive", "barriers"):
        program = f"import bayestwin, arviz, bayestwin.{first_used}; {look}"
        found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert found.returncode == 0, (first_used, found.stderr)
