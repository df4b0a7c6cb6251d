"""A compiled model as Python sees it: saved, loaded, and run as often as there are inputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maiacc.compiling.build import Built, build
from maiacc.compiling.calibration import Calibration
from maiacc.compiling.report import document
from maiacc.frontend.load import load_model
from maiacc.frontend.model import Settings
from maiacc.options import TARGET, CompileOptions
from maiacc_isa import program as isa
from maiacc_isa.container import check_weights, open_program, save
from maiacc_isa.machine import Machine, load_machine
from maiacc_passes.ir.types import ELEMENTS
from maiacc_sim.result import Result
from maiacc_sim.session import Session
from maiacc_sim.simulate import Options
from maiacc_sim.tensors import FOREIGN, host_dtype


def compile(
    model: Any,
    target: str = TARGET,
    shapes: Mapping[str, int | Sequence[int]] | None = None,
    precision: str = "model",
    *,
    values: Mapping[str, ArrayLike] | None = None,
    sparsity: str = "none",
    sparsity_layers: str | None = None,
    sparsity_method: str | None = None,
    calibration: str | os.PathLike[str] | Mapping[str, ArrayLike] | None = None,
    weights: bool = True,
    passes: Sequence[str] | None = None,
) -> Program:
    """Compiles a model and proves the program.

    ``model`` is a path, an ``onnx.ModelProto``, or what ``torch.onnx.export`` returns. ``shapes``
    gives inputs their shapes, and named dimensions their sizes; ``values`` are of inputs that
    decide shapes, axes or trip counts. ``calibration`` is a .npz file, or arrays by input, with
    many samples each. The other arguments are those of ``CompileOptions``.

    Raises ``MaiaccError`` with everything that stands in the way.
    """
    options = CompileOptions(
        target,
        precision,
        sparsity,
        sparsity_layers,
        weights,
        None if passes is None else tuple(passes),
        sparsity_method,
        _calibration(calibration),
    )
    loaded = load_model(model)
    given = dict(shapes or {})
    settings = Settings(
        {name: tuple(shape) for name, shape in given.items() if not isinstance(shape, int)},
        {name: size for name, size in given.items() if isinstance(size, int)},
        dict(values or {}),
    )
    return Program.of(build(loaded, settings, load_machine(target), options))


def _calibration(
    given: str | os.PathLike[str] | Mapping[str, ArrayLike] | None,
) -> Calibration | None:
    if given is None or isinstance(given, Mapping):
        return None if given is None else Calibration(arrays=given)
    return Calibration(os.fspath(given))


@dataclass(eq=False)
class Program:
    """A program with its weights. ``code`` is the program itself, as ``maiacc.read_program`` gives
    it; ``stats`` what ``maiacc compile --json`` prints, None for one that was loaded."""

    code: isa.Program
    stats: dict[str, Any] | None = None
    _sessions: dict[Any, Session] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, built: Built) -> Program:
        """What the compiler built."""
        return cls(built.program, document(built))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Program:
        """A program from its file; the weights are compared with their digest, and stay there.

        Raises ``MaiaccError`` for a file that cannot be read or is no such program.
        """
        file = os.fspath(path)
        code = open_program(file)
        check_weights(file)
        return cls(code)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file, which appears when it is complete. Raises ``MaiaccError`` E0003."""
        save(self.code, os.fspath(path))

    @property
    def machine(self) -> Machine:
        """The machine it is for."""
        return self.code.machine

    @property
    def inputs(self) -> dict[str, isa.Tensor]:
        """What it takes, by the names of the model."""
        return {t.name: t for t in self.code.tensors if t.kind in ("input", "state")}

    @property
    def outputs(self) -> dict[str, isa.Tensor]:
        """What it gives, by the names of the model."""
        return {t.result or t.name: t for t in self.code.tensors if t.kind in ("output", "state")}

    def run(
        self,
        inputs: Mapping[str, ArrayLike] | None = None,
        parameters: Mapping[str, int] | None = None,
        options: Options | None = None,
    ) -> Result:
        """Runs it: values, cycles, and where they went.

        ``inputs`` are arrays by the names of the model, of its types: nothing is converted, but
        lists and Python's numbers become arrays. Outputs whose type numpy does not have are arrays
        of ``ml_dtypes``. Weights are mapped in the first run and stay. Without inputs, and with
        ``Options(values=False)``, only the cycles are counted. ``Options`` are those of
        ``maiacc.simulate``.

        Raises ``MaiaccError`` E1201 to E1203 for inputs, E1206 for an exhausted budget, E1210 for a
        program without values of its weights, E11xx for traps.
        """
        asked = options or Options()
        given = {name: self._array(name, value) for name, value in (inputs or {}).items()}
        result = self._session(asked).run(given, parameters)
        if result.executed is None:
            return result
        found = {name: self._typed(name, array) for name, array in result.outputs.items()}
        return replace(result, executed=replace(result.executed, outputs=found))

    def _session(self, options: Options) -> Session:
        """The session for these options; the last ones stay, with their weights."""
        key = replace(options, log=None)
        if options.log is not None:
            return Session(self.code, options)
        if key not in self._sessions:
            self._sessions[key] = Session(self.code, options)
        return self._sessions[key]

    def _array(self, name: str, value: ArrayLike) -> NDArray[Any]:
        """An input; lists and numbers become arrays of the input's type."""
        tensor = self.inputs.get(name)
        if isinstance(value, np.ndarray) or tensor is None:
            return np.asarray(value)
        return np.asarray(value, ELEMENTS[tensor.dtype].numpy)

    def _typed(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """An output in the type that it has in the model."""
        dtype = self.outputs[name].dtype
        if dtype not in FOREIGN or array.dtype != host_dtype(dtype):
            return array
        return array.view(ELEMENTS[dtype].numpy)
