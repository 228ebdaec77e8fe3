#!/usr/bin/env bash
# ml-regression-simple-linear 3.0.1 (npm): the slope of a signal against tag numbers is wrong by half.
#
# The package sums x², x·y and takes differences of the sums. Tags of a facility are numbers of about 1.2e9 that differ by 2
# from shot to shot, so that the differences are lost in rounding. The slope of an exact line of 30 shots comes out as
# 0.0005 for 0.001, without a warning. Against the tag counted from the first one it is exact.
#
# Expected: numbers about their mean, as numpy and other packages do.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ml-regression-simple-linear@3.0.1
cat >slope.mjs <<'JS'
import { SimpleLinearRegression } from "ml-regression-simple-linear";
const shots = Array.from({ length: 30 }, (_, shot) => 2 * shot);
const slope = (first) => new SimpleLinearRegression(shots.map((tag) => first + tag), shots.map((tag) => 1 + 0.001 * tag)).slope;
const [small, large] = [slope(1), slope(1200000001)];
console.log("tags from 1:", small, "tags from 1200000001:", large, "(truth 0.001)");
const asStated = Math.abs(small - 0.001) < 1e-9 && Math.abs(large - 0.001) > 1e-4;
console.log(asStated ? "as stated" : "CHANGED");
process.exit(asStated ? 0 : 1);
JS
node slope.mjs
