"""What a random sample proves about the rest."""

from __future__ import annotations

import math

SHARES = (0.01, 0.1)  # of forged pictures


def chance_to_find(sample: int, of: int, forged: int) -> float:
    """The probability that a sample without replacement holds at least one of the forged ones (hypergeometric).

    1 - C(of - forged, sample) / C(of, sample); 0 <= sample, forged <= of.
    """
    if sample + forged > of:
        return 1.0
    return 1.0 - math.comb(of - forged, sample) / math.comb(of, sample)


def what_it_proves(sample: int, of: int) -> str:
    """ "16 of 4,000: finds 1 % of forged pictures with 15 %, 10 % with 81 %; none is found in ..." as a phrase."""
    told = []
    for share in SHARES:
        forged = max(1, round(share * of))
        what = f"{share:.0%}".replace("%", " %")
        told.append(f"{what} of forged pictures ({forged:,}) with {_percent(chance_to_find(sample, of, forged))}")
    return f"{sample:,} of {of:,}: finds {', '.join(told)}"


def _percent(chance: float) -> str:
    """A probability that is not rounded to certainty."""
    if chance in (0.0, 1.0) or 0.005 <= chance <= 0.995:
        return f"{chance:.0%}".replace("%", " %")
    return "below 1 %" if chance < 0.5 else "above 99 %"
