/** Whether a name that `facility.describe` gives is that of a simulated facility, here or behind a server. */
export function saysSimulated(name: string): boolean {
  return /\bsimulated\b/.test(name);
}
