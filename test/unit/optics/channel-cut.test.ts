import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { ChannelCut, pairExit } from "../../../src/optics/index.ts";

const direct = { kind: "direct", degPerPulse: 4e-6 } as const;
const bar = { kind: "sine-bar", pulsesPerMm: 25_000, armMm: 275, startDeg: -15.0053431 } as const;

describe("a channel-cut monochromator", () => {
  it("turns energies into pulses as users' scripts do, and back", () => {
    // θ[deg] = pulse · 4e-6: 16.141 deg at 7.112 keV.
    const plain = new ChannelCut({ drive: direct, refraction: false });
    expect(plain.angleDeg(7112)).toBeCloseTo(16.14, 2);
    expect(plain.pulses(10_000)).toBeCloseTo(2_850_682, -1);
    expect(plain.evPerPulse(10_000)).toBeCloseTo(-0.00346, 5);
    const drives = [direct, { kind: "direct", degPerPulse: -4e-6 }, bar, { ...bar, kind: "tangent-arm" }] as const;
    for (const drive of drives)
      for (const refraction of [true, false])
        for (const ev of [4500, 7112, 9659, 14_000]) {
          const mono = new ChannelCut({ drive, refraction, zeroPulse: 123 });
          expect(mono.photonEnergyEv(mono.pulses(ev))).toBeCloseTo(ev, 7);
        }
    // θ = asin(p / 25000 / 275 + sin θ0) − θ0.
    const theta0 = (-15.0053431 * Math.PI) / 180;
    const pulses = 1e5;
    const angle = Math.asin(pulses / 25_000 / 275 + Math.sin(theta0)) - theta0;
    const ev = new ChannelCut({ drive: bar, refraction: false }).photonEnergyEv(pulses);
    expect(ev).toBeCloseTo(12_398.419843 / (6.271202308 * Math.sin(angle)), 4);
  });

  it("keeps the exit of a pair where it is", () => {
    const [first, second] = [new ChannelCut({ drive: direct, gapMm: 5 }), new ChannelCut({ drive: direct, gapMm: 5 })];
    for (const ev of [5000, 10_000]) expect(pairExit(first, second, ev).behindMm).toBe(0);
    const { betweenMm } = pairExit(first, second, 10_000);
    expect(betweenMm).toBeCloseTo(2 * 5 * Math.cos((11.404174 * Math.PI) / 180), 6);
    const other = new ChannelCut({ drive: direct, gapMm: 4 });
    expect(pairExit(first, other, 10_000).behindMm).toBeCloseTo(betweenMm / 5, 9);
    expect(() => new ChannelCut({ drive: direct }).exitOffsetMm(9000)).toThrow(/gapMm/);
  });

  it("is calibrated at an edge, within the error", () => {
    const random = new Random(4);
    let inside = 0;
    for (let i = 0; i < 300; i++) {
      const truth = new ChannelCut({ drive: direct, zeroPulse: 500 * random.normal() });
      const pulseError = 1 + 20 * random.uniform();
      const pulse = truth.pulses(9659) + pulseError * random.normal();
      const mono = new ChannelCut({ drive: direct });
      const found = mono.calibrated({ pulse, pulseError, energyEv: 9659 });
      expect(found.wasOffEv).toBeCloseTo(mono.photonEnergyEv(pulse) - 9659, 9);
      // Also elsewhere than at the edge.
      const off = found.channelCut.photonEnergyEv(truth.pulses(9659)) - 9659;
      if (Math.abs(off) < found.errorEv) inside++;
      expect(Math.abs(found.zeroPulse - truth.zeroPulse)).toBeLessThan(5 * found.zeroPulseError);
    }
    expect(inside / 300).toBeGreaterThan(0.6);
    expect(inside / 300).toBeLessThan(0.76);
  });

  it("refuses what it cannot be or do", () => {
    expect(() => new ChannelCut({ drive: { kind: "direct", degPerPulse: 0 } })).toThrow(/per pulse/);
    expect(() => new ChannelCut({ drive: { kind: "lever" } as never })).toThrow(/sine-bar, tangent-arm/);
    expect(() => new ChannelCut({ drive: { kind: "lever" } as never })).toThrow(/one of direct,/);
    for (const drive of [undefined, null, 4e-6])
      expect(() => new ChannelCut({ drive: drive as never })).toThrow(/drive is .* must be an object with kind/);
    expect(() => new ChannelCut({ drive: direct }).photonEnergyEv(-5)).toThrow(/reflects/);
    expect(() => new ChannelCut({ drive: direct }).photonEnergyEv(0)).toThrow(/reflects/);
    expect(() => new ChannelCut({ drive: { ...bar, startDeg: 60 } }).pulses(3200)).toThrow(/arm reaches/);
    expect(() => new ChannelCut({ drive: direct }).pulses(1500)).toThrow(/photonEnergyEv/);
  });
});
