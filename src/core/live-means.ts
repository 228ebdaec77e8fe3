/** What a live picture can be the mean of, or made of: the shots, and with `-i0` divided by I0. */
export const liveMeans = [
  ...(["all", "pumped", "unpumped", "difference", "error", "significance"] as const),
  ...(["difference-i0", "error-i0", "significance-i0"] as const),
] as const;
