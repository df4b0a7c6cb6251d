"""All cases of single words, by family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from zlib import crc32

from native.batches import Case
from native.cases_dma import dma_cases, network_cases
from native.cases_map import chain_cases, map_cases, place_cases, stat_cases
from native.cases_odd import odd_cases, sized_cases
from native.cases_rows import reduce_cases, scan_cases, sort_cases, top_cases
from native.cases_scales import quantise_cases, scale_cases
from native.cases_tensor import accumulator_cases, product_cases
from native.cases_vector import (
    assert_cases,
    convert_cases,
    gather_cases,
    iota_cases,
    scatter_cases,
    select_cases,
)

FAMILIES: dict[str, Callable[[], list[Case]]] = {
    "map": map_cases,
    "chain": chain_cases,
    "stat": stat_cases,
    "place": place_cases,
    "reduce": reduce_cases,
    "scan": scan_cases,
    "sort": sort_cases,
    "top": top_cases,
    "quantise": quantise_cases,
    "scale": scale_cases,
    "convert": convert_cases,
    "select": select_cases,
    "iota": iota_cases,
    "gather": gather_cases,
    "scatter": scatter_cases,
    "assert": assert_cases,
    "product": product_cases,
    "accumulator": accumulator_cases,
    "dma": dma_cases,
    "network": network_cases,
    "sized": sized_cases,
    "odd": odd_cases,
}

#: A normal run takes one case of so many.
SAMPLE = 8


def sample(family: str) -> list[Case]:
    """The cases of a family that a normal run takes: always the same."""
    return [case for case in FAMILIES[family]() if crc32(case.name.encode()) % SAMPLE == 0]


def again(case: Case, turn: int) -> Case:
    """The same case with other sizes, layouts and contents."""
    return replace(case, name=f"{case.name}, turn {turn}") if turn else case
