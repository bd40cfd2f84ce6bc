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
    assert bayestwin.calibration.calibrate is bt.calibrate
