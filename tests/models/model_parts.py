"""Files of a library model, as its loaded twin has them."""

import sys
from types import ModuleType

from bayestwin.twin.twin import load_twin


def model_part(model: str, name: str) -> ModuleType:
    """A file of a model by its name without suffix."""
    return sys.modules[f"{load_twin(model).definition.model.__module__.rpartition('.')[0]}.{name}"]
