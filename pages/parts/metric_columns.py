"""Metrics as columns of a table on a page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import streamlit as st

from medpriv_core.records.epoch import Column, EpochRow


def numbers_of(row: EpochRow, columns: Iterable[Column]) -> dict[str, float | None]:
    """The values of a row by the titles of their columns, shares in percent."""
    return {column.title: column.metric.in_table(column.of(row)) for column in columns}


def column_formats(columns: Iterable[Column]) -> dict[str, Any]:
    """How these are written, and what they mean, for ``st.dataframe``."""
    return {
        column.title: st.column_config.NumberColumn(
            format=column.metric.table_format, help=column.metric.meaning.capitalize() or None
        )
        for column in columns
    }
