"""The zoo on the command line.

python -m zoo list
python -m zoo build NAME OUT.onnx
python -m zoo verify
"""

from __future__ import annotations

import sys

import onnx

from zoo.zoo import build, crc, info, names


def main(arguments: list[str]) -> int:
    """Executes a command; returns the exit code."""
    match arguments:
        case ["list"]:
            for name in names():
                side = info(name)
                size = f"{side['parameters'] / 1e6:8.2f} M par {side['macs'] / 1e9:8.3f} GMAC"
                print(f"{name:30} {size}  {side['architecture']}")
        case ["build", name, output]:
            onnx.save(build(name), output)
        case ["verify"]:
            bad = [name for name in names() if crc(name) != info(name)["crc32"]]
            print("all as recorded" if not bad else "different weights: " + " ".join(bad))
            return 1 if bad else 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
