from __future__ import annotations

from typing import Any

import pytest
import torch

from medpriv_core.errors import SettingError
from medpriv_core.training.device import (
    forward_batch_size,
    mixed_dtype,
    physical_batch_size,
    resolve_device,
    step_threads,
    using_threads,
)

CPU = torch.device("cpu")


@pytest.fixture
def only_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_auto_takes_the_cpu_where_there_is_nothing_else(only_cpu: None) -> None:
    assert resolve_device("auto") == CPU
    assert resolve_device("cpu") == CPU


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps"])
def test_an_absent_device_is_refused_with_its_name(name: Any, only_cpu: None) -> None:
    with pytest.raises(SettingError, match=f"device is {name}.*choose auto or cpu"):
        resolve_device(name)


@pytest.mark.parametrize(
    "name", ["", "28", "epochs=1,2", "meta", "xpu", "cuda:x", "cuda:\u00b2", "cuda:99999999999999999999", "CPU"]
)
def test_what_names_no_device_is_refused(name: Any, only_cpu: None) -> None:
    with pytest.raises(SettingError, match=r"must be auto, cpu, cuda, cuda:N or mps"):
        resolve_device(name)


def test_a_cuda_index_beyond_the_last_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == torch.device("cuda:0")
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(SettingError, match=r"only 2 CUDA device"):
        resolve_device("cuda:2")


def test_precision_is_mixed_only_where_bfloat16_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mixed_dtype("auto", CPU) is None
    assert mixed_dtype("float32", CPU) is None
    with pytest.raises(SettingError, match="precision is mixed"):
        mixed_dtype("mixed", CPU)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    cuda = torch.device("cuda:0")
    assert mixed_dtype("auto", cuda) == mixed_dtype("mixed", cuda) == torch.bfloat16
    assert mixed_dtype("float32", cuda) is None


def test_the_larger_the_images_and_gradients_the_fewer_go_through_at_once() -> None:
    assert physical_batch_size(input_size=224) < physical_batch_size(input_size=64)
    assert 8 <= physical_batch_size(input_size=64, per_sample_parameters=11_177_538) <= 32
    assert physical_batch_size(input_size=1024, per_sample_parameters=11_177_538) == 1
    assert physical_batch_size(input_size=0) >= 1024


def test_memory_asked_for_replaces_the_usual_gibibyte() -> None:
    usual = physical_batch_size(input_size=64)
    assert physical_batch_size(input_size=64, memory_mb=1024) == usual
    assert physical_batch_size(input_size=64, memory_mb=256) == usual // 4
    assert physical_batch_size(input_size=1024, memory_mb=64) == 1


def test_the_larger_the_images_the_fewer_are_looked_at_at_once() -> None:
    assert forward_batch_size(input_size=64, device=CPU) == 98
    assert forward_batch_size(input_size=224, device=CPU) == 8
    assert forward_batch_size(input_size=1024, device=CPU) == 1
    assert forward_batch_size(input_size=224, device=torch.device("cuda")) == 256


def test_small_steps_use_one_core_and_large_ones_all_of_them() -> None:
    before = torch.get_num_threads()
    assert step_threads(128 * 512) == 1
    with using_threads(before + 1):
        assert step_threads(100_000 * 512) == before + 1
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
