import { useState } from "react";
import type { Roi } from "../../src/core/roi.ts";
import type { CallParams, CallResult } from "../../src/transport/methods.ts";
import { limitsOf } from "../live/limits.ts";
import { copyOf, type Look, meanOf } from "../live/look.ts";
import { ask } from "../server/connection.ts";
import { save } from "../server/save.ts";
import { textOf } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";

type Form = CallParams<"page.export">["form"];

/** Saves the picture as it is shown, and shows the equal command line. */
export function PictureExport({
  frame,
  look,
  shot,
  region,
}: {
  readonly frame: CallResult<"page.picture">;
  readonly look: Look;
  /** A stored shot; null: the newest live one. */
  readonly shot: CallParams<"page.export">["shot"];
  readonly region: Roi | null;
}) {
  const [saved, setSaved] = useState<Pick<CallResult<"page.export">, "command" | "note" | "name"> | null>(null);
  const [error, setError] = useState<string | null>(null);
  const write = (form: Form): void => {
    setError(null);
    const { picture, bl, detId } = frame;
    const { low, high } = limitsOf(picture, look);
    const { dark, what, hits, colourMap, scale } = look;
    const of = { bl, detId, dark, shot, mean: meanOf(look), what, hits };
    const part = region === null ? null : copyOf(region);
    ask("page.export", { ...of, region: part, form, colourMap, scale, range: [low, high] })
      .then((file) => {
        save(file.name, file.bytes, form === "png" ? "image/png" : "application/x-hdf5");
        setSaved(file);
      })
      .catch((reason: unknown) => setError(textOf(reason)));
  };
  return (
    <div className="row" data-export>
      <button type="button" onClick={() => write("png")}>
        save PNG
      </button>
      <button type="button" onClick={() => write("h5")}>
        save HDF5
      </button>
      <Failure text={error} />
      {saved === null ? null : (
        <span role="status">
          {saved.name}: {region === null ? "the whole picture" : "the part that is shown"}. {saved.note}
        </span>
      )}
      {saved === null || saved.command === "" ? null : <pre data-command>{saved.command}</pre>}
    </div>
  );
}
