"""Draws of a study's posterior, by the engine that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bayestwin.errors import Fault, ModelError
from bayestwin.infer.settings import Sampling
from bayestwin.prepared import Prepared

if TYPE_CHECKING:
    from bayestwin.infer.checkpoint import Checkpoint
    from bayestwin.infer.mcmc import Draws


def sampled(
    prepared: Prepared,
    sampling: Sampling,
    watch: Callable[[Any], None] = lambda progress: None,
    checkpoint: Checkpoint | None = None,
) -> Draws:
    """Sample a study's posterior.

    Args:
        prepared: the study brought to its model.
        sampling: how, and by which engine.
        watch: told the sampler's progress.
        checkpoint: where chains are saved; those of the second engine are not.

    Raises:
        ModelError: if the second engine is asked for and the model is not written for it.
        EngineError: if it is not installed.
    """
    pilot = prepared.twin.definition.pilot(prepared.data)
    if sampling.engine == "pymc":
        from bayestwin.infer.second import sample_second

        return sample_second(second_model(prepared), prepared.model, pilot, sampling, watch)
    from bayestwin.infer.mcmc import sample

    return sample(prepared.model, pilot, sampling, watch, prepared.nesting, checkpoint)


def second_model(prepared: Prepared) -> Callable[[], Any]:
    """What makes the study's model in PyMC.

    Args:
        prepared: the study brought to its model.

    Raises:
        ModelError: if the model is not written for the second engine.
    """
    definition = prepared.twin.definition
    if definition.second is None:
        remedy = "do without it, or write the model in PyMC (`Definition.second`)"
        raise ModelError([Fault(prepared.twin.name, "is not written for the second engine", value="pymc", remedy=remedy)])
    return partial(definition.second, prepared.data, prepared.priors)
