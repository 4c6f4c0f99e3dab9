"""What goes between processes: places of large arrays in the arrays' stead, and results that own their files."""

import gc
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from audit.data.on_disk import filed
from audit.data.shared_files import Place, place_of, shared_files
from audit.parallel.packing import answered, packed, unpacked

ROWS = np.arange(600_000, dtype=np.float32).reshape(-1, 6)


def mapped(rows: NDArray[np.float32] = ROWS) -> NDArray[np.float32]:
    return filed([rows], len(rows))


def test_rows_of_a_mapped_file_are_sent_as_their_place_and_read_from_it() -> None:
    with shared_files() as folder:
        part = mapped()[1000:90_000]
        content = packed(lambda: float(part.sum()))
        assert len(content) < 2000
        assert len([*folder.iterdir()]) == 1  # nothing was written
        assert unpacked(content)() == float(ROWS[1000:90_000].sum())
        place = place_of(part)
        assert place is not None
        np.testing.assert_array_equal(place.open(), ROWS[1000:90_000])


def test_an_array_in_memory_is_written_once_in_its_order_and_comes_as_one_that_may_be_changed() -> None:
    by_row, by_column = ROWS.copy(), np.asfortranarray(ROWS)
    with shared_files() as folder:
        content = packed([by_row, by_column, by_row])
        assert len(content) < 2000
        assert len([*folder.iterdir()]) == 2
        first, turned, again = unpacked(content)
        assert first is again and not isinstance(first, np.memmap)
        assert turned.flags.f_contiguous
        first[0] = -1
        assert by_row[0, 0] == 0
        np.testing.assert_array_equal(turned, ROWS)
        np.testing.assert_array_equal(unpacked(content)[0], ROWS)


def test_a_mapped_file_without_a_name_is_copied_and_a_small_array_sent_itself() -> None:
    unnamed = mapped()  # outside of shared files
    assert place_of(unnamed) is None
    with shared_files() as folder:
        np.testing.assert_array_equal(unpacked(packed(unnamed)), ROWS)
        assert len([*folder.iterdir()]) == 1
        np.testing.assert_array_equal(unpacked(packed(ROWS[:3])), ROWS[:3])
        np.testing.assert_array_equal(unpacked(packed(ROWS[:, 1]))[7], ROWS[7, 1])  # every sixth number
        assert len([*folder.iterdir()]) == 1


def test_a_tensor_is_sent_as_an_array_is() -> None:
    x = torch.arange(400_000.0)
    with shared_files():
        content = packed(x)
        assert len(content) < 2000
        assert torch.equal(unpacked(content), x)


def test_a_file_is_deleted_when_who_it_was_sent_to_needs_it_no_more() -> None:
    with shared_files() as folder:
        made = mapped()
        content = answered({"z": made[:7], "small": np.ones(3)})
        del made
        gc.collect()
        assert len([*folder.iterdir()]) == 1  # it is no longer ours to delete
        found = unpacked(content)
        np.testing.assert_array_equal(found["z"], ROWS[:7])
        del found
        gc.collect()
        assert [*folder.iterdir()] == []


def test_a_mapped_file_goes_with_its_last_rows() -> None:
    with shared_files() as folder:
        some = mapped()[5:7]
        assert len([*folder.iterdir()]) == 1
        del some
        gc.collect()
        assert [*folder.iterdir()] == []
    assert not folder.exists()


def test_places_are_found_behind_the_header_of_an_npy_file(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", ROWS)
    layer = np.load(tmp_path / "z.npy", mmap_mode="r")
    place = place_of(layer[70_001:])
    assert isinstance(place, Place)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(place)).open(), ROWS[70_001:])
    with pytest.raises(ValueError, match="read-only"):
        place.open()[0] = 1


def test_shared_files_are_their_owners_alone_and_go_with_the_work() -> None:
    with shared_files() as folder:
        rows = mapped()
        assert packed(ROWS)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
        assert len([*folder.iterdir()]) == 2
    assert not folder.exists()
    np.testing.assert_array_equal(rows, ROWS)  # mapped still
