"""What stays in float is said once for each rule, with the modules it lies in."""

from exporter.quantization.remarks import float_remarks


def test_rules_kinds_and_modules():
    norm = [("statistic", kind, f"/network/body/body.{place}/norm/{kind}_output_0")
            for place in range(5) for kind in ("MEAN", "SUB", "MEAN")]  # fmt: skip
    found = [*norm, ("no kernel", "EXP", "/network/Exp_output_0"), ("coarse", "CONV_2D", "/network/head/Conv_output_0")]
    assert list(float_remarks(found)) == [
        "1 CONV_2D in float in head: a norm behind them would amplify their rounding",
        "10 MEAN, 5 SUB in float in body.0.norm, body.1.norm, body.2.norm and 2 modules more: "
        "norms and their statistics, of which int8 leaves too little",
        "1 EXP in float: no int8 kernel",
    ]
