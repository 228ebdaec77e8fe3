/** One motion of a stage: up to speed, along, and down again. Times in seconds, places in pulses. */
export interface Motion {
  readonly from: number;
  readonly to: number;
  /** Signed, pulses/s, at the plateau. */
  readonly velocity: number;
  readonly rampUp: number;
  readonly cruise: number;
  readonly rampDown: number;
}

/** The motion with trapezoidal speed; triangular when it is too short to come to `speed`. */
export function trapezoid(from: number, to: number, speed: number, acceleration: number): Motion {
  const distance = Math.abs(to - from);
  const peak = Math.min(speed, Math.sqrt(distance * acceleration));
  const ramp = distance === 0 ? 0 : peak / acceleration;
  const cruise = distance === 0 ? 0 : Math.max(0, distance / peak - ramp);
  return { from, to, velocity: Math.sign(to - from) * peak, rampUp: ramp, cruise, rampDown: ramp };
}

/** Coming to rest, on a whole pulse, from a place that is passed at `velocity`. */
export function braking(from: number, velocity: number, acceleration: number): Motion {
  const way = (velocity * Math.abs(velocity)) / (2 * acceleration);
  return {
    from,
    to: Math.round(from + way),
    velocity,
    rampUp: 0,
    cruise: 0,
    rampDown: Math.abs(velocity) / acceleration,
  };
}

export function durationOf({ rampUp, cruise, rampDown }: Motion): number {
  return rampUp + cruise + rampDown;
}

/** Where the motion is so many seconds after its beginning. */
export function placeAt(motion: Motion, seconds: number): number {
  const { from, to, velocity, rampUp, cruise, rampDown } = motion;
  if (seconds <= 0) return from;
  if (seconds >= durationOf(motion)) return to;
  if (seconds < rampUp) return from + (velocity * seconds * seconds) / (2 * rampUp);
  const along = seconds - rampUp;
  if (along < cruise) return from + velocity * (rampUp / 2 + along);
  const down = along - cruise;
  return from + velocity * (rampUp / 2 + cruise + down - (down * down) / (2 * rampDown));
}

/** How fast it is then, signed, pulses/s. */
export function velocityAt(motion: Motion, seconds: number): number {
  const { velocity, rampUp, cruise, rampDown } = motion;
  if (seconds <= 0 || seconds >= durationOf(motion)) return 0;
  if (seconds < rampUp) return (velocity * seconds) / rampUp;
  const down = seconds - rampUp - cruise;
  return down < 0 ? velocity : velocity * (1 - down / rampDown);
}
