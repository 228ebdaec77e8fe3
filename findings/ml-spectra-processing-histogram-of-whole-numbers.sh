#!/usr/bin/env bash
# ml-spectra-processing 14.35.1 (npm): xHistogram() of whole numbers has holes and false counts.
#
# Number.EPSILON is subtracted from each value to put the last edge into the last slot. That makes 1 and 2 smaller, so they
# go to the slot below; it changes no number from 3 on, so those go to the slot above their edge. A histogram of
# ADU values or photon counts with one slot for each number so has an empty slot beside a doubled one. With `min` and `max`
# the values outside are counted into the first and the last slot.
#
# Expected: numpy.histogram's rule: an edge belongs to the upper slot, the last one to the last slot; values outside the
# range are not counted. Way round: edges between the numbers (`min` and `max` at halves), values outside left out first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ml-spectra-processing@14.35.1
cat >histogram.mjs <<'JS'
import { xHistogram } from "ml-spectra-processing";
const counts = (values, options) => Array.from(xHistogram(values, options).y).join(" ");
const adu = [0, 1, 2, 3, 4, 5];
const whole = counts(adu, { nbSlots: 5 });
const ranged = counts([-50, 1, 2, 3, 4, 900], { nbSlots: 3, min: 1, max: 4 });
const halves = counts(adu, { nbSlots: 6, min: -0.5, max: 5.5 });
console.log("values 0 to 5 in slots of 1:", whole, "(numpy.histogram: 1 1 1 1 2)");
console.log("-50 1 2 3 4 900 from 1 to 4 in slots of 1:", ranged, "(numpy.histogram: 1 1 2)");
console.log("values 0 to 5, edges at halves:", halves);
const asStated = whole === "2 1 0 1 2" && halves === "1 1 1 1 1 1" && ranged.split(" ").reduce((sum, n) => sum + Number(n), 0) === 6;
console.log(asStated ? "as stated" : "CHANGED");
process.exit(asStated ? 0 : 1);
JS
node histogram.mjs
