"""What a step and a GPU cost is measured on steps that really train: each method's, and on the CPU as well."""

import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import gpu
from steps import ARMS


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_the_script_for_a_gpu_measures_each_method_and_the_attackers_on_a_cpu_too() -> None:
    few = ["--images=64", "--size=32", "--batch=32", "--rows=300", "--width=4", "--turns=1", "--device=cpu"]
    done = CliRunner().invoke(gpu.main, few)
    assert done.exit_code == 0, done.output
    rates = dict(re.findall(r"^\| ([^|`]+) \| ([\d.]+) \|", done.output, re.MULTILINE))
    assert {"bare", "an audit's", *ARMS} <= rates.keys()
    assert all(float(rate) > 0 for rate in rates.values())
    assert "| perceptron | 300 | 4 | cpu |" in done.output
    shares = [int(share) for share in re.findall(r"\| (\d+) % \|", done.output)]
    assert len(shares) == gpu.SHOWN and shares == sorted(shares, reverse=True) and 50 < sum(shares) <= 104
