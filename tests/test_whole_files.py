# SPDX-License-Identifier: MIT
"""Files are written whole or not at all, and what goes wrong is one line."""

import pytest

from aiida_alpot.errors import InputFileError
from aiida_alpot.whole_files import read_content, read_text, write_text, write_whole


def test_text_comes_back_as_it_was_written(tmp_path):
    write_text(tmp_path / "a.txt", "Å\r\nnm\n")
    assert read_text(tmp_path / "a.txt", wanted="a text") == "Å\r\nnm\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    write_whole(tmp_path / "a.bin", b"old")
    (tmp_path / "a.bin.partial").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "a.bin", b"new")
    assert read_content(tmp_path / "a.bin") == b"old"


def test_a_file_that_cannot_be_read_or_written_is_named_in_one_line(tmp_path):
    absent = tmp_path / "absent" / "a.txt"
    with pytest.raises(InputFileError, match=r"^Cannot write .*a\.txt: No such file or directory"):
        write_text(absent, "text")
    with pytest.raises(InputFileError, match=r"^Cannot read .*a\.txt: No such file or directory"):
        read_content(absent)
    write_whole(tmp_path / "a.txt", b"\xff\xfe")
    with pytest.raises(InputFileError, match=r"is not a text file\. Give a potential"):
        read_text(tmp_path / "a.txt", wanted="a potential (.mtp)")
