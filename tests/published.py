"""The 18 published rows: (name, mode -> FR, mode -> NR, Overall), as the benchmark's README and paper print them."""

MODES_I2T = ("full", "pixel", "text")
MODES_T2I = ("full", "image", "pixel", "text")

_I2T = """
GPT-4o 2.5646 2.0415 1.9878 2.7815 1.7805 3.4802 2.4394
ShareGPT 2.5597 2.0650 1.9872 2.7618 1.7940 3.4221 2.4316
Qwen 2.5530 2.0031 1.9917 2.6748 1.7832 3.3679 2.3956
MPlugOwl-2 2.5556 2.0003 1.9902 2.6413 1.7891 3.3299 2.3844
LLAVA 2.5484 1.9747 1.9815 2.6373 1.7766 3.3695 2.3813
InstructBLIP 2.5489 1.9153 1.9858 2.5593 1.7796 3.2888 2.3463
"""

_T2I = """
DiffBIR 2.9194 2.5803 2.8630 1.7342 - - - - 2.6466
PASD 2.7270 2.2256 2.6378 2.0101 - - - - 2.4942
PG25 2.0716 2.9194 1.9612 2.9935 1.7418 3.6260 1.7382 3.7299 2.3579
RealVis 2.5646 2.0415 2.5033 1.8098 1.9878 2.7815 1.7805 3.4802 2.3155
PG20 2.3603 2.3695 2.2476 2.2071 1.8883 2.6875 1.7180 3.7438 2.2864
SSD-1B 2.4939 2.0803 2.4147 1.9308 1.9611 2.4828 1.7753 3.4796 2.2720
StableSR 2.6232 1.4368 2.6088 1.4293 - - - - 2.2217
Dreamlike 2.5071 1.7892 2.4226 1.5131 1.9545 2.3038 1.7090 3.1588 2.1626
Animate 2.2985 1.8469 2.2522 1.6148 1.8246 2.4324 1.6983 3.4979 2.1283
SDXL 2.4184 1.6837 2.3482 1.5586 1.9103 1.9724 1.7471 3.4225 2.1238
SD15 2.4895 1.7733 2.4163 1.5574 1.9422 2.1444 1.6832 2.5318 2.0891
InstructPix 2.1519 1.7191 2.3457 1.2219 - - - - 1.9894
"""


def _rows(table: str, modes: tuple[str, ...]) -> list[tuple[str, dict[str, float], dict[str, float], float]]:
    rows = []
    for line in table.strip().splitlines():
        name, *cells, overall = line.split()
        fr = {mode: float(cell) for mode, cell in zip(modes, cells[::2]) if cell != "-"}
        nr = {mode: float(cell) for mode, cell in zip(modes, cells[1::2]) if cell != "-"}
        rows.append((name, fr, nr, float(overall)))
    return rows


I2T = _rows(_I2T, MODES_I2T)
T2I = _rows(_T2I, MODES_T2I)
