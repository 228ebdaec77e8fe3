"""Writes src/optics/atomic-data.ts and src/optics/silicon-data.ts from xraylib (tried with 4.3.0).

Run from the repository: python3 scripts/make-atomic-data.py && npm run format
"""

import numpy as np
import xraylib

FROM_KEV, TO_KEV = 3.0, 30.0
WORST = 5e-4
ELEMENTS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Y Zr Nb Mo Ru Rh "
    "Pd Ag Cd In Sn Sb Te I Xe Cs Ta W Re Ir Pt Au"
).split()
SHELLS = [xraylib.K_SHELL, xraylib.L1_SHELL, xraylib.L2_SHELL, xraylib.L3_SHELL, xraylib.M1_SHELL, xraylib.M2_SHELL]


def chebyshev(of, low, high, highest=14, digits=5):
    """Coefficients of a Chebyshev series of `of` over [low, high], as many as WORST needs."""
    x = np.cos(np.pi * (np.arange(400) + 0.5) / 400)
    y = np.array([of(low + (high - low) * (at + 1) / 2) for at in x])
    for degree in range(2, highest + 1):
        series = np.round(np.polynomial.chebyshev.chebfit(x, y, degree), digits)
        off = np.abs(np.polynomial.chebyshev.chebval(x, series) - y).max()
        if off < WORST:
            break
    return [float(value) for value in series], float(off)


def log_of(cross_section, z):
    return lambda log_kev: float(np.log(cross_section(z, float(np.exp(log_kev)))))


def listed(values):
    return "[" + ", ".join(f"{value:g}" if value == round(value, 6) else repr(value) for value in values) + "]"


def shells(z):
    for shell in SHELLS:
        try:
            yield xraylib.EdgeEnergy(z, shell)
        except ValueError:
            continue


def jump_at(z, edge):
    """Where the table of the cross section jumps: within some eV of the edge's energy."""
    near = [edge * (1 + 1e-3 * step / 20) for step in range(-20, 21)]
    values = [xraylib.CS_Photo(z, kev) for kev in near]
    k = int(np.argmax(np.abs(np.diff(np.log(values)))))
    low, high = near[k], near[k + 1]
    below, above = values[k], values[k + 1]
    for _ in range(40):
        middle = (low + high) / 2
        value = xraylib.CS_Photo(z, middle)
        if abs(np.log(value / below)) < abs(np.log(value / above)):
            low = middle
        else:
            high = middle
    return high


def element(symbol):
    z = xraylib.SymbolToAtomicNumber(symbol)
    edges = sorted(jump_at(z, edge) for edge in shells(z) if FROM_KEV < edge < TO_KEV)
    worst, photo = 0.0, []
    low, high = np.log(FROM_KEV), np.log(TO_KEV)
    for first, last in zip([FROM_KEV, *edges], [*edges, TO_KEV]):
        # A hair inside, so that an edge's own value does not stand in two series.
        series, off = chebyshev(log_of(xraylib.CS_Photo, z), np.log(first * (1 + 2e-5)), np.log(last * (1 - 2e-5)))
        photo.append(series)
        worst = max(worst, off)
    rayleigh, off_rayleigh = chebyshev(log_of(xraylib.CS_Rayl, z), low, high)
    compton, off_compton = chebyshev(log_of(xraylib.CS_Compt, z), low, high)
    print(symbol, edges, f"{worst:.1e} {off_rayleigh:.1e} {off_compton:.1e}")
    edges_ev = [round(1000 * edge, 3) for edge in edges]
    series = ", ".join(listed(part) for part in photo)
    return (
        f"  {symbol}: {{\n weight: {xraylib.AtomicWeight(z):g}, edgesEv: {listed(edges_ev)}, photo: [{series}], "
        f"rayleigh: {listed(rayleigh)}, compton: {listed(compton)} }},\n"
    )


PARTS = {"light": ELEMENTS[: ELEMENTS.index("Ga")], "heavy": ELEMENTS[ELEMENTS.index("Ga") :]}
for part, symbols in PARTS.items():
    with open(f"src/optics/{part}-elements.ts", "w", encoding="utf-8") as file:
        file.write(
            f"// Written by scripts/make-atomic-data.py; see atomic-data.ts.\nimport type {{ AtomicData }} from "
            f'"./atomic-data.ts";\n\nexport const {part}Elements: Readonly<Record<string, AtomicData>> = {{\n'
        )
        file.writelines(element(symbol) for symbol in symbols)
        file.write("};\n")

with open("src/optics/atomic-data.ts", "w", encoding="utf-8") as file:
    file.write(
        "// Written by scripts/make-atomic-data.py from xraylib "
        f"{xraylib.__version__}: CS_Photo, CS_Rayl, CS_Compt, EdgeEnergy, AtomicWeight.\n"
        "\n/** Photon energies, eV, that the series cover. */\n"
        f"export const atomicRangeEv = [{FROM_KEV * 1000:.0f}, {TO_KEV * 1000:.0f}] as const;\n\n"
        "/** Chebyshev series of ln(cross section in cm²/g) over ln(photon energy). */\n"
        "type Series = readonly number[];\n\n"
        "/** An element: atomic weight, edges within the range, one series of the photoabsorption between edges. */\n"
        "export interface AtomicData {\n"
        "  readonly weight: number;\n  readonly edgesEv: readonly number[];\n  readonly photo: readonly Series[];\n"
        "  readonly rayleigh: Series;\n  readonly compton: Series;\n}\n"
    )

WORST = 2e-5
silicon = xraylib.SymbolToAtomicNumber("Si")
FIRST, LAST = np.log(FROM_KEV), np.log(TO_KEV)
form, off_form = chebyshev(lambda s: xraylib.FF_Rayl(silicon, s), 0.0, 1.3, 32, 6)
real, off_real = chebyshev(lambda log: xraylib.Fi(silicon, float(np.exp(log))), FIRST, LAST, 32, 6)
imaginary, off_imaginary = chebyshev(lambda log: float(np.log(-xraylib.Fii(silicon, float(np.exp(log))))), FIRST, LAST, 32, 6)
print("silicon", off_form, off_real, off_imaginary, len(form), len(real), len(imaginary))
with open("src/optics/silicon-data.ts", "w", encoding="utf-8") as file:
    file.write(
        f"// Written by scripts/make-atomic-data.py from xraylib {xraylib.__version__}: FF_Rayl, Fi, Fii of silicon.\n"
        "// Chebyshev series.\n\n"
        "/** Atomic form factor over sin θ / λ, up to this many per Å. */\n"
        "export const formFactorTo = 1.3;\n"
        f"export const formFactor = {listed(form)};\n"
        "/** f′ over ln(photon energy) in the range of atomic-data.ts. */\n"
        f"export const dispersion = {listed(real)};\n"
        "/** ln f″ over ln(photon energy). */\n"
        f"export const absorption = {listed(imaginary)};\n"
    )
