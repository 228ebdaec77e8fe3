import type { ReactNode } from "react";
import { go } from "../server/location.ts";
import { colourMaps, type Look, limitChoices, profileUnits, scales, unitNames } from "./look.ts";

/** What one sets for a picture; all of it stands in the address. */
export function LookControls({ look, children }: { look: Look; children?: ReactNode }) {
  const isManual = !look.limits.includes("–");
  const [low = "", high = ""] = isManual ? look.limits.split(",") : [];
  return (
    <form className="controls" onSubmit={(event) => event.preventDefault()}>
      {children}
      <Field name="dark run" value={look.dark} param="dark" title="Its mean is subtracted; empty: the raw picture" />
      <Choice name="colours" value={look.colourMap} choices={colourMaps} param="map" />
      <Choice name="scale" value={look.scale} choices={scales} param="scale" />
      <Choice
        name="limits %"
        value={isManual ? "by hand" : look.limits}
        choices={[...limitChoices, "by hand"]}
        param="limits"
        toText={(choice) => (choice === "by hand" ? "0,100" : choice)}
      />
      {isManual ? (
        <>
          <label>
            low{" "}
            <input
              type="number"
              step="any"
              value={low}
              onChange={(event) => go({ limits: `${event.target.value},${high}` })}
            />
          </label>
          <label>
            high{" "}
            <input
              type="number"
              step="any"
              value={high}
              onChange={(event) => go({ limits: `${low},${event.target.value}` })}
            />
          </label>
        </>
      ) : null}
      <Choice name="axis" value={look.unit} choices={profileUnits} names={unitNames} param="unit" />
      <Choice name="rings" value={look.hasRings ? "on" : "off"} choices={["off", "on"]} param="rings" />
      {look.unit === "r_mm" ? null : (
        <Field name="distance / mm" value={look.distanceMm} param="distance" title="From the sample to the detector" />
      )}
      {look.unit === "q_A^-1" ? <Field name="energy / eV" value={look.photonEnergyEv} param="energy" /> : null}
    </form>
  );
}

/** A list of choices that sets a parameter of the address. */
export function Choice({
  name,
  value,
  choices,
  names = {},
  param,
  toText = (choice) => choice,
}: {
  name: string;
  value: string;
  choices: readonly string[];
  /** What the choices are called, where not by themselves. */
  names?: Readonly<Record<string, string>>;
  param: string;
  toText?: (choice: string) => string;
}) {
  return (
    <label>
      {name}{" "}
      <select value={value} onChange={(event) => go({ [param]: toText(event.target.value) })}>
        {choices.map((choice) => (
          <option key={choice} value={choice}>
            {names[choice] ?? choice}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A number that sets a parameter of the address when it has been typed. */
export function Field({
  name,
  value,
  param,
  title,
}: {
  name: string;
  value: number | null;
  param: string;
  title?: string;
}) {
  return (
    <label title={title}>
      {name}{" "}
      <input
        type="number"
        step="any"
        key={value}
        defaultValue={value ?? ""}
        onBlur={(event) => go({ [param]: event.target.value === "" ? null : event.target.value })}
        onKeyDown={(event) => {
          if (event.key === "Enter") event.currentTarget.blur();
        }}
      />
    </label>
  );
}
