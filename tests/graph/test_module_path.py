from __future__ import annotations

import pytest

from exporter.graph.module_path import module_path, place_of


@pytest.mark.parametrize(
    ("node", "path"),
    [
        ("/network/body/body.3/attn/MatMul_1", "body.3.attn"),
        ("/network/network/up.0/up.0.1/DepthToSpace", "up.0.1"),
        ("/network.body.1.c/node_conv2d", "body.1.c"),
        ("/network/Add", ""),
        ("/Transpose", ""),
        ("node_conv2d", ""),
    ],
)
def test_names_of_nodes_say_their_module(node: str, path: str) -> None:
    assert module_path(node) == path


def test_a_node_without_a_name_is_placed_by_what_leads_to_it() -> None:
    assert place_of("Erf", "/network/body/body.3/Erf") == "operator Erf in body.3"
    assert place_of("Erf", "", ("", "/network/head/Conv")) == "operator Erf in head"
    assert place_of("Erf", "/network/Erf") == "operator Erf in the forward of the network itself"
    assert place_of("Erf", "n0") == "operator Erf (node n0)" and place_of("Erf", "") == "operator Erf"
