"""What is wrong with IR, or with a text that should be IR."""

from __future__ import annotations


class IRError(Exception):
    """A refusal with a stable code; whoever drives the IR adds the file and the ONNX node.

    ``nodes`` are the ONNX nodes that the op at fault came from, ``line`` a line of an IR text.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
        nodes: tuple[str, ...] = (),
        line: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.expected = expected
        self.found = found
        self.hint = hint
        self.nodes = nodes
        self.line = line

    def __str__(self) -> str:
        parts = [f"{self.code}: {self.message}"]
        for name in ("expected", "found", "hint"):
            text = getattr(self, name)
            if text:
                parts.append(f"{name} {text}")
        if self.nodes:
            parts.append(f"node {', '.join(self.nodes)}")
        if self.line is not None:
            parts.append(f"line {self.line}")
        return "; ".join(parts)
