"""Integrals and values of monotone piecewise cubic interpolants (PCHIP), of thousands of curves at once.

The bootstrap interpolates as many curves as there are resamples, each with its own abscissas, which scipy's
PchipInterpolator does one at a time. The tests hold this against it. Source: Fritsch and Butland, A method for
constructing local monotone piecewise cubic interpolants, SIAM Journal on Scientific and Statistical Computing 5, 1984.
"""

from __future__ import annotations

import numpy as np


def integrals(x: np.ndarray, y: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The integral from low to high of the interpolant through each row's points: (rows,).

    x, y: (rows, points), at least 2 points, x strictly rising in each row. low, high: (rows,), within each row's x.
    """
    step = np.diff(x)
    slope = _slopes(step, np.diff(y) / step)
    start = np.clip((low[:, None] - x[:, :-1]) / step, 0, 1)
    end = np.clip((high[:, None] - x[:, :-1]) / step, 0, 1)
    pieces = (y[:, :-1], y[:, 1:], step * slope[:, :-1], step * slope[:, 1:])
    return (step * (_antiderivative(end, *pieces) - _antiderivative(start, *pieces))).sum(axis=1)


def values(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The interpolant through each row's points at `at`: (rows,), within each row's x. x, y: as of integrals."""
    step = np.diff(x)
    slope = _slopes(step, np.diff(y) / step)
    rows = np.arange(len(x))
    piece = np.clip((x[:, :-1] <= at[:, None]).sum(axis=1) - 1, 0, None)
    h = step[rows, piece]
    t = (at - x[rows, piece]) / h
    ends = (y[rows, piece], y[rows, piece + 1], h * slope[rows, piece], h * slope[rows, piece + 1])
    t2, t3 = t**2, t**3
    weights = (1 - 3 * t2 + 2 * t3, 3 * t2 - 2 * t3, t - 2 * t2 + t3, t3 - t2)
    return sum(weight * end for weight, end in zip(weights, ends))


def _antiderivative(t: np.ndarray, y0: np.ndarray, y1: np.ndarray, d0: np.ndarray, d1: np.ndarray) -> np.ndarray:
    """The integral from 0 to t of the cubic Hermite polynomial on [0, 1] with these values and derivatives at its
    ends.
    """
    t2, t3, t4 = t**2, t**3, t**4
    return y0 * (t - t3 + t4 / 2) + y1 * (t3 - t4 / 2) + d0 * (t2 / 2 - 2 * t3 / 3 + t4 / 4) + d1 * (t4 / 4 - t3 / 3)


def _slopes(h: np.ndarray, m: np.ndarray) -> np.ndarray:
    """The derivative at each point, from the lengths h and slopes m of the segments, (rows, points - 1) each."""
    if h.shape[1] == 1:
        return np.repeat(m, 2, axis=1)
    w1, w2 = 2 * h[:, 1:] + h[:, :-1], h[:, 1:] + 2 * h[:, :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        # A weighted harmonic mean of the neighbours' slopes; 0 at an extremum and beside a level segment
        inner = np.where(m[:, 1:] * m[:, :-1] > 0, (w1 + w2) / (w1 / m[:, :-1] + w2 / m[:, 1:]), 0.0)
    first = _end_slope(h[:, 0], h[:, 1], m[:, 0], m[:, 1])
    last = _end_slope(h[:, -1], h[:, -2], m[:, -1], m[:, -2])
    return np.column_stack([first, inner, last])


def _end_slope(h0: np.ndarray, h1: np.ndarray, m0: np.ndarray, m1: np.ndarray) -> np.ndarray:
    """A one-sided three-point estimate, cut back where it would leave the data's shape (Moler, pchiptx.m)."""
    slope = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
    slope = np.where((np.sign(m0) != np.sign(m1)) & (np.abs(slope) > 3 * np.abs(m0)), 3 * m0, slope)
    return np.where(np.sign(slope) != np.sign(m0), 0.0, slope)
