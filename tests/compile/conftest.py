"""Models in a folder, for tests of commands."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from compile.models import doubles, kinds, large, layers, network, noise

MODELS = {
    "net": network,
    "doubles": doubles,
    "noise": noise,
    "large": large,
    "layers": layers,
    "kinds": kinds,
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all models, which is only read."""
    folder = tmp_path_factory.mktemp("models")
    for name, made in MODELS.items():
        onnx.save(made(), str(folder / f"{name}.onnx"))
    return folder


@pytest.fixture
def folder(models: Path, tmp_path: Path) -> Path:
    """A folder of one's own with the models."""
    for path in models.iterdir():
        (tmp_path / path.name).symlink_to(path)
    return tmp_path
