import { hash, Random } from "../../core/random.ts";
import type { MissingReason } from "../../core/syncdb.ts";
import { splitDelayGeometry } from "../../optics/index.ts";
import { axis, setting } from "../control/devices.ts";
import type { DevicesAt, SimulatedDevice } from "../control/simulated-device.ts";
import { monitorParameters, splitDelayParameters as parameters } from "../parameters.ts";
import { type ReflectedBand, reflectedEv, spectralShares } from "./spectral-share.ts";

const crystals = ["BS", "BR1", "BR2", "BM", "CC1", "CC2"] as const;
const FIRST_ANGLE = 11;
const angles = crystals.map((name, i) =>
  axis(3, 1, FIRST_ANGLE + i, `split-delay optics, angle of ${name}, 4e-6 deg/pulse`, {
    limitsPulses: [2_500_000, 11_250_000],
    speed: 100_000,
    speedLimits: [100, 200_000],
    accelerationPulsesPerS2: 400_000,
    home: 4_709_061,
  }),
);
const gaps = ["BR1", "BR2"].map((name, i) =>
  axis(3, 1, 17 + i, `split-delay optics, gap of ${name}, 0.1 µm/pulse`, {
    limitsPulses: [40_000, 300_000],
    speed: 10_000,
    speedLimits: [10, 50_000],
    accelerationPulsesPerS2: 40_000,
    home: 50_000,
  }),
);
const height = axis(3, 1, 19, "split-delay optics, height, 1 µm/pulse: out of the beam at 0, in at 5000");
const branches = setting(
  "attenuator",
  "bl3_sdo_branch",
  "split-delay optics, which branch is open",
  "",
  ["both", "delay", "fixed"],
  "both",
);

/** Beam monitors in the order of the light: behind so many crystals of their branch. */
const monitors = ["br1", "br2", "bm", "cc1", "cc2"] as const;
const monitorId = (name: (typeof monitors)[number]): string => `xfel_bl_3_st_1_sdo_${name}_pd/charge`;
const visibilityId = "xfel_bl_3_st_1_sdo_visibility/ratio";
const correlationId = "xfel_bl_3_st_1_sdo_correlation/ratio";
const positionId = "xfel_bl_3_st_1_sdo_position/x";
const spikes = hash("split-delay spectrum");
const noise = hash("split-delay monitors");

/** Six Si(220) crystals that split each pulse in two, delay one half, and bring both together again. */
export const splitDelay: SimulatedDevice = {
  name: "split-delay",
  bl: 3,
  axes: [...angles, ...gaps, height],
  settings: [branches],
  signals: [
    ...monitors.map((name) => ({ equipId: monitorId(name), unit: "C" })),
    ...[visibilityId, correlationId].map((equipId) => ({ equipId, unit: "" })),
    { equipId: positionId, unit: "um" },
  ],
  behavior(seed) {
    const hidden = hiddenOf(new Random(hash(seed, "split-delay", 3)));
    return {
      truth: hidden.truth,
      effect(at) {
        const place = at.load(height.name);
        if (place < parameters.inFrom || place > parameters.inTo) return null;
        const state = stateOf(at, hidden);
        return {
          salt: spikes,
          photonEnergyEv: state.bands.bs.ev,
          share: (centreEv, draws) => {
            const { bm, cc2 } = sharesOf(state, centreEv, draws);
            return bm + cc2;
          },
        };
      },
      signal(equipId, at, shot, pulses) {
        const place = at.load(height.name);
        if (!pulses.hasXrays(shot) || place < parameters.inFrom || place > parameters.inTo) return "not-converged";
        const state = stateOf(at, hidden);
        const draws = pulses.draws(shot.key, spikes, shot.tag);
        const shares = sharesOf(state, pulses.photonEnergyEv(shot), draws, equipId === visibilityId);
        const random = pulses.draws(shot.key, noise ^ hash(equipId), shot.tag);
        if (equipId === positionId) return position(state, shares, random);
        if (equipId === visibilityId) return visibility(state, shares, random);
        if (equipId === correlationId) return correlation(state, shares, random);
        const name = monitors.find((each) => monitorId(each) === equipId) ?? "bm";
        const charge = monitorParameters.chargePerJoule * pulses.energyJ(shot) * shares[name];
        const { relativeNoise } = monitorParameters;
        return charge * (1 + relativeNoise * random.normal()) + parameters.floorCharge * random.normal();
      },
    };
  },
};

interface Hidden {
  readonly zeroPulse: readonly number[];
  /** How BR1 and BR2 turn on their way, µrad per mm. */
  readonly tiltUradPerMm: readonly [number, number];
  readonly gapZeroMm: number;
  readonly gapDifferenceMm: number;
  /** Part of the light in the delay branch. */
  readonly delayPart: number;
  readonly truth: Readonly<Record<string, number>>;
}

function hiddenOf(random: Random): Hidden {
  const zeroPulse = crystals.map(() => parameters.zeroErrorPulse * random.normal());
  const tiltUradPerMm = [
    parameters.tiltUradPerMm * random.normal(),
    parameters.tiltUradPerMm * random.normal(),
  ] as const;
  const gapZeroMm = parameters.gapZeroMm * random.normal();
  const delayPart = 0.4 + 0.2 * random.uniform();
  const gapDifferenceMm = parameters.gapDifferenceMm * random.normal();
  const zeros = Object.fromEntries(crystals.map((name, i) => [`${name.toLowerCase()}Zero`, zeroPulse[i] ?? NaN]));
  const [tilt1 = NaN, tilt2 = NaN] = tiltUradPerMm;
  return {
    zeroPulse,
    tiltUradPerMm,
    gapZeroMm,
    gapDifferenceMm,
    delayPart,
    truth: { ...zeros, br1TiltUradPerMm: tilt1, br2TiltUradPerMm: tilt2, gapZeroMm, gapDifferenceMm, delayPart },
  };
}

interface State {
  readonly bands: Readonly<Record<"bs" | "br1" | "br2" | "bm" | "cc1" | "cc2", ReflectedBand>>;
  readonly delayPs: number;
  /** How far the delay branch is beside the other where both meet, µm. */
  readonly besideUm: number;
  readonly delayPart: number;
  readonly fixedPart: number;
}

/** What the crystals reflect where they are, and how much later the delay branch comes. */
function stateOf(at: DevicesAt, hidden: Hidden): State {
  const { zeroPulse, tiltUradPerMm, gapZeroMm, gapDifferenceMm, delayPart } = hidden;
  const [gap1 = NaN, gap2 = NaN] = gaps.map(({ name }) => at.load(name) * parameters.mmPerPulse);
  const tilts = [
    0,
    tiltUradPerMm[0] * (gap1 - parameters.channelGapMm),
    tiltUradPerMm[1] * (gap2 - parameters.channelGapMm),
  ];
  const stand = angles.map(({ name }, i) => {
    const pulse = at.load(name) - (zeroPulse[i] ?? 0);
    return pulse * parameters.degPerPulse + ((tilts[i] ?? 0) * 1e-6 * 180) / Math.PI;
  });
  const bands = stand.map((angleDeg, i) => {
    const ev = reflectedEv(angleDeg, [2, 2, 0]);
    return { ev, halfEv: (parameters.plateauWidth * ev) / 2, reflections: i < 4 ? 1 : 2 };
  });
  const none: ReflectedBand = { ev: 0, halfEv: 1, reflections: 1 };
  const [bs = none, br1 = none, br2 = none, bm = none, cc1 = none, cc2 = none] = bands;
  const psPerMm = bs.ev === 0 ? NaN : splitDelayGeometry(bs.ev, [2, 2, 0], { refraction: true }).psPerMm;
  const [bsDeg = NaN, br1Deg = NaN, br2Deg = NaN, bmDeg = NaN] = stand;
  // BS and BM turn the beam one way, BR1 and BR2 the other; parallel crystals leave its direction as it was.
  const turnedUrad = ((2 * Math.PI) / 180) * 1e6 * (bsDeg - br1Deg - br2Deg + bmDeg);
  const shiftUm = 2000 * Math.cos((bsDeg * Math.PI) / 180) * (gap1 - gap2 - gapDifferenceMm);
  const open = at.value(branches.name);
  return {
    bands: { bs, br1, br2, bm, cc1, cc2 },
    delayPs: ((gap1 + gap2) / 2 - parameters.channelGapMm - gapZeroMm) * psPerMm,
    besideUm: shiftUm + parameters.leverM * turnedUrad,
    delayPart: open === "fixed" ? 0 : delayPart,
    fixedPart: open === "delay" ? 0 : 1 - delayPart,
  };
}

/**
 * Shares of the light behind BR1, BR2 and BM, CC1 and CC2.
 * @param interferes - also what both branches have in common
 */
function sharesOf({ bands, delayPart, fixedPart }: State, centreEv: number, random: Random, interferes = false) {
  const { bs, br1, br2, bm, cc1, cc2 } = bands;
  const chains = [[bs, br1], [bs, br1, br2], [bs, br1, br2, bm], [cc1], [cc1, cc2]];
  // The light that interferes is that of both amplitudes: the roots of what each branch reflects.
  if (interferes) chains.push(Object.values(bands).map((band) => ({ ...band, reflections: band.reflections / 2 })));
  const found = spectralShares(centreEv, bs.ev, chains, random);
  const [one = 0, two = 0, three = 0, first = 0, second = 0, common = 0] = found;
  return {
    br1: delayPart * one,
    br2: delayPart * two,
    bm: delayPart * three,
    cc1: fixedPart * first,
    cc2: fixedPart * second,
    common: Math.sqrt(delayPart * fixedPart) * common,
  };
}

type Shares = Readonly<Record<"bm" | "cc2" | "common", number>>;

/** How much both halves lie on each other: the overlap of two Gaussian beams. */
const spatialOverlap = ({ besideUm }: State): number => Math.exp(-((besideUm / (2 * parameters.beamUm)) ** 2));

/** Visibility of the speckle where both halves meet: they interfere where place, time and photon energy are one. */
function visibility(state: State, { bm, cc2, common }: Shares, random: Random): number {
  const { coherencePs, visibilityTop, visibilityFloor, visibilityNoise } = parameters;
  const both = bm + cc2;
  const balance = both > 0 ? (2 * common) / both : 0;
  const overlap = Math.exp(-0.5 * (state.delayPs / coherencePs) ** 2) * spatialOverlap(state);
  return visibilityFloor + visibilityTop * balance * overlap + visibilityNoise * random.normal();
}

/** What one half leaves in a sample for the other, over the time in which the sample answers. */
function correlation(state: State, { bm, cc2 }: Shares, random: Random): number {
  const { correlationPs, visibilityFloor, visibilityNoise } = parameters;
  const both = bm + cc2;
  const balance = both > 0 ? (4 * bm * cc2) / (both * both) : 0;
  const overlap = Math.exp(-0.5 * (state.delayPs / correlationPs) ** 2) * spatialOverlap(state);
  return visibilityFloor + balance * overlap + visibilityNoise * random.normal();
}

/** Where the light is on the position monitor, µm: that of both branches by their intensity. */
function position({ besideUm }: State, { bm, cc2 }: Shares, random: Random): number | MissingReason {
  const both = bm + cc2;
  return both > 1e-6 ? (besideUm * bm) / both + parameters.positionNoiseUm * random.normal() : "not-converged";
}
