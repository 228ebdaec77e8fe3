// AssemblyScript with v128: draws images of MPCCD sensors. Compiled by scripts/build-kernels.ts, called from
// src/facility/sensor-canvas.ts. Addresses are in bytes. Random bits come from a state of 64 bits (PCG, O'Neill 2014) at
// address `random`. No exponential and no logarithm of the machine is used: an image is the same in every runtime.

/** As in mpccdParameters of src/facility/parameters.ts. */
const ROWS: i32 = 1024;
const COLUMNS: i32 = 512;
const PORTS: i32 = 8;
const PORT_WIDTH: i32 = 64;
const PIXELS: i32 = ROWS * COLUMNS;
const SATURATION: i32 = 65535;

const STEP: u64 = ((<u64>0x5851f42d) << 32) | 0x4c957f2d;
const INCREMENT: u64 = ((<u64>0x14057b7e) << 32) | 0xf767814f;
const UNIT: f64 = 1.0 / 4294967296.0;

/** Poisson numbers: tables for means in quarters below this one, of so many numbers (a power of 2) each. */
const TABLED_MEAN: f64 = 64.0;
const NUMBER_BITS: i32 = 7;
/** More photons or ADU than a pixel can show, and few enough for 32 bits. */
const MOST: f64 = 1e9;

function next(state: u64): u64 {
  return state * STEP + INCREMENT;
}

/** 32 random bits of a state (XSH RR). */
function bits(state: u64): u32 {
  return rotr<u32>(<u32>(((state >> 18) ^ state) >> 27), <u32>(state >> 59));
}

/** Four values of the table of normals, by the upper halves of two states; 16 bits choose a value. */
function fourNormals(table: usize, a: u64, b: u64): v128 {
  let z = v128.load32_zero(table + (<usize>(a >> 46) & 0x3fffc));
  z = v128.load32_lane(table + (<usize>(a >> 30) & 0x3fffc), z, 1);
  z = v128.load32_lane(table + (<usize>(b >> 46) & 0x3fffc), z, 2);
  return v128.load32_lane(table + (<usize>(b >> 30) & 0x3fffc), z, 3);
}

/**
 * Fills the image (u16) with pedestal and noise. `pedestal`: f32 pixels; `ports`: f32 of each port; `rows`: gets the f32
 * noise of each row; `table`: f32 quantiles of the normal distribution, 65536 of them.
 */
export function drawDark(
  image: usize,
  pedestal: usize,
  ports: usize,
  rows: usize,
  rowNoise: f32,
  noise: f32,
  table: usize,
  random: usize,
): void {
  let state = load<u64>(random);
  const scale = f32x4.splat(noise);
  let i: usize = 0;
  for (let row = 0; row < ROWS; row++) {
    state = next(state);
    const common = rowNoise * load<f32>(table + ((<usize>(bits(state) >> 16)) << 2));
    store<f32>(rows + ((<usize>row) << 2), common);
    for (let port = 0; port < PORTS; port++) {
      const offset = f32x4.splat(common + load<f32>(ports + ((<usize>port) << 2)));
      for (let k = 0; k < PORT_WIDTH; k += 8) {
        const a = next(state);
        const b = next(a);
        const c = next(b);
        state = next(c);
        const low = f32x4.mul(scale, fourNormals(table, a, b));
        const high = f32x4.mul(scale, fourNormals(table, c, state));
        const from = pedestal + (i << 2);
        v128.store(
          image + (i << 1),
          i16x8.narrow_i32x4_u(
            i32x4.trunc_sat_f32x4_s(f32x4.add(f32x4.add(v128.load(from), offset), low)),
            i32x4.trunc_sat_f32x4_s(f32x4.add(f32x4.add(v128.load(from, 16), offset), high)),
          ),
        );
        i += 8;
      }
    }
  }
  store<u64>(random, state);
}

/**
 * A Poisson number by two draws. Exact below `TABLED_MEAN`: the number of the next lower quarter by an alias table (u32:
 * chance in 65536ths to stay, alias), that of the rest by inversion. Above: normal, corrected for skewness
 * (Cornish-Fisher).
 */
function poisson(mean: f64, first: u32, second: u32, tables: usize, normals: usize): i32 {
  if (mean >= TABLED_MEAN) {
    const z = <f64>load<f32>(normals + ((<usize>(first >> 16)) << 2));
    return <i32>min<f64>(MOST, floor(mean + sqrt(mean) * z + (z * z - 1.0) / 6.0 + 0.5));
  }
  const quarters = <i32>(mean * 4.0);
  let number = 0;
  if (quarters > 0) {
    number = <i32>(first >> (32 - NUMBER_BITS));
    const entry = load<u32>(tables + ((<usize>((quarters << NUMBER_BITS) + number)) << 2));
    if (((first >> (16 - NUMBER_BITS)) & 0xffff) >= entry >> 16) number = <i32>(entry & 0xffff);
  }
  const r = mean - 0.25 * <f64>quarters;
  // e^-r by its series: r is below a quarter.
  let chance =
    1.0 - r * (1.0 - (r / 2.0) * (1.0 - (r / 3.0) * (1.0 - (r / 4.0) * (1.0 - (r / 5.0) * (1.0 - r / 6.0)))));
  const drawn = <f64>second * UNIT;
  let sum = chance;
  for (let more = 1; drawn >= sum && more < 16; more++) {
    number++;
    chance *= r / <f64>more;
    sum += chance;
  }
  return number;
}

/** Charge that leaks over the edge of the sensor is lost. */
function addAdu(image: usize, pixel: i32, adu: i32): void {
  if (<u32>pixel >= <u32>PIXELS) return;
  const at = image + ((<usize>pixel) << 1);
  store<u16>(at, <u16>min<i32>(SATURATION, <i32>load<u16>(at) + adu));
}

/** A photon near the edge of its pixel: negative leaks are to the left and up. */
function addShared(image: usize, pixel: i32, adu: f64, fraction: f64, leakX: f64, leakY: f64): void {
  const toX = abs(leakX);
  const toY = abs(leakY);
  const stepX = leakX < 0.0 ? -1 : 1;
  const stepY = leakY < 0.0 ? -COLUMNS : COLUMNS;
  const column = (pixel & (COLUMNS - 1)) + stepX;
  const isInside = column >= 0 && column < COLUMNS;
  addAdu(image, pixel, <i32>floor(adu * (1.0 - toX) * (1.0 - toY) + fraction));
  if (toX > 0.0 && isInside) addAdu(image, pixel + stepX, <i32>floor(adu * toX * (1.0 - toY) + fraction));
  if (toY > 0.0) addAdu(image, pixel + stepY, <i32>floor(adu * (1.0 - toX) * toY + fraction));
  if (toX > 0.0 && toY > 0.0 && isInside) addAdu(image, pixel + stepX + stepY, <i32>floor(adu * toX * toY + fraction));
}

/**
 * Adds photons one by one and gives their number. `totals`: f64 photons expected in each row; `lottery`: alias tables
 * of the columns of each row; `ringOf`, `ringShare`: u8 pixels; `rest`: share of photons that stay; `rings`: f64 of each
 * ring, what it adds to that in a pixel of ringShare 1 (0: all photons stay); `sharing`: 4096 pairs of f32 leaks.
 */
export function addPhotons(
  image: usize,
  totals: usize,
  lottery: usize,
  ringOf: usize,
  ringShare: usize,
  rate: f64,
  adu: f64,
  rest: f64,
  rings: usize,
  sharing: usize,
  tables: usize,
  normals: usize,
  random: usize,
): i32 {
  let state = load<u64>(random);
  let placed = 0;
  for (let row = 0; row < ROWS; row++) {
    const start = row * COLUMNS;
    const other = next(state);
    const mean = rate * load<f64>(totals + ((<usize>row) << 3));
    const drawn = poisson(mean, bits(state), bits(other), tables, normals);
    state = next(other);
    for (let k = 0; k < drawn; k++) {
      const place = bits(state);
      state = next(state);
      const chance = bits(state);
      state = next(state);
      let pixel = start + <i32>(place >> 23);
      const entry = load<u32>(lottery + ((<usize>pixel) << 2));
      if (chance >> 16 >= entry >> 16) pixel = start + <i32>(entry & 0xffff);
      if (rings !== 0) {
        const ring = load<f64>(rings + ((<usize>load<u8>(ringOf + <usize>pixel)) << 3));
        const stays = rest + ring * <f64>load<u8>(ringShare + <usize>pixel);
        const luck = <f64>bits(state) * UNIT;
        state = next(state);
        if (luck >= stays) continue;
      }
      placed++;
      // A random fraction before rounding down keeps the mean charge exact although ADU are whole.
      const fraction = <f64>(chance & 0xffff) / 65536.0;
      const cell = sharing + ((<usize>((place >> 11) & 0xfff)) << 3);
      const leakX = load<f32>(cell);
      const leakY = load<f32>(cell, 4);
      if (leakX === 0 && leakY === 0) addAdu(image, pixel, <i32>floor(adu + fraction));
      else addShared(image, pixel, adu, fraction, <f64>leakX, <f64>leakY);
    }
  }
  store<u64>(random, state);
  return placed;
}

/** Adds a Poisson number of photons to each pixel. `changes`: f64 of each ring, for a pixel of ringShare 1. */
export function addDensePhotons(
  image: usize,
  expected: usize,
  ringOf: usize,
  ringShare: usize,
  intensity: f64,
  adu: f64,
  changes: usize,
  tables: usize,
  normals: usize,
  random: usize,
): void {
  let state = load<u64>(random);
  for (let i = 0; i < PIXELS; i++) {
    const change = load<f64>(changes + ((<usize>load<u8>(ringOf + <usize>i)) << 3));
    const factor = 1.0 + change * <f64>load<u8>(ringShare + <usize>i);
    const mean = <f64>load<f32>(expected + ((<usize>i) << 2)) * intensity * factor;
    const other = next(state);
    const photons = poisson(mean, bits(state), bits(other), tables, normals);
    state = next(other);
    if (photons > 0) addAdu(image, i, <i32>min<f64>(MOST, floor(<f64>photons * adu + 0.5)));
  }
  store<u64>(random, state);
}

const LN2_HIGH: f64 = 0.6931471803691238;
const LN2_LOW: f64 = 1.9082149292705877e-10;
const SQRT2: f64 = Math.SQRT2;

/** Natural logarithm of a normal number above 0: to the bit that of src/core/portable-math.ts. */
function log(x: f64): f64 {
  const word = reinterpret<u64>(x);
  let twos = <i32>(word >> 52) - 1023;
  let m = reinterpret<f64>((word & 0xfffffffffffff) | 0x3ff0000000000000);
  if (m > SQRT2) {
    m /= 2.0;
    twos++;
  }
  const s = (m - 1.0) / (m + 1.0);
  const squared = s * s;
  let sum: f64 = 1.0 / 23.0;
  sum = 1.0 / 21.0 + squared * sum;
  sum = 1.0 / 19.0 + squared * sum;
  sum = 1.0 / 17.0 + squared * sum;
  sum = 1.0 / 15.0 + squared * sum;
  sum = 1.0 / 13.0 + squared * sum;
  sum = 1.0 / 11.0 + squared * sum;
  sum = 1.0 / 9.0 + squared * sum;
  sum = 1.0 / 7.0 + squared * sum;
  sum = 1.0 / 5.0 + squared * sum;
  sum = 1.0 / 3.0 + squared * sum;
  return <f64>twos * LN2_HIGH + (2.0 * s + (2.0 * s * squared * sum + <f64>twos * LN2_LOW));
}

/**
 * Fills `pedestal` (f32 pixels) with what a sensor gives without light: `base`, `step` more from port to port, and
 * normals times `spread`, to the bit those of Random in src/core/random.ts, whose state of four u32 is at `random`.
 */
export function drawPedestal(pedestal: usize, base: f64, step: f64, spread: f64, random: usize): void {
  let a = load<u32>(random);
  let b = load<u32>(random, 4);
  let c = load<u32>(random, 8);
  let d = load<u32>(random, 12);
  for (let i = 0; i < PIXELS; i += 2) {
    // Marsaglia's polar method.
    let u: f64 = 0.0;
    let v: f64 = 0.0;
    let s: f64 = 0.0;
    do {
      for (let k = 0; k < 2; k++) {
        const drawn = rotl<u32>(b * 5, 7) * 9;
        const e = c ^ a;
        const f = d ^ b;
        a ^= f;
        d = rotl<u32>(f, 11);
        c = e ^ (b << 9);
        b ^= e;
        u = v;
        v = 2.0 * (<f64>drawn * UNIT) - 1.0;
      }
      s = u * u + v * v;
    } while (!(s > 0.0 && s < 1.0));
    const factor = sqrt((-2.0 * log(s)) / s);
    const level = base + step * <f64>((i & (COLUMNS - 1)) / PORT_WIDTH);
    store<f32>(pedestal + ((<usize>i) << 2), <f32>(level + spread * (u * factor)));
    store<f32>(pedestal + ((<usize>i) << 2), <f32>(level + spread * (v * factor)), 4);
  }
  store<u32>(random, a);
  store<u32>(random, b, 4);
  store<u32>(random, c, 8);
  store<u32>(random, d, 12);
}
