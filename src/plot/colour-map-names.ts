/** Names of the colour maps. `difference` runs from blue over white (zero) to red, for on − off images. */
export const colourMaps = ["viridis", "magma", "inferno", "gray", "difference"] as const;
export type ColourMap = (typeof colourMaps)[number];
