import { type FormEvent, useState } from "react";
import type { Roi } from "../../src/core/roi.ts";

/** A rectangle by its numbers, for who has no mouse or knows them. */
export function RoiForm({ onAdd }: { readonly onAdd: (roi: Roi) => void }) {
  const [isWrong, setWrong] = useState(false);
  const add = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get("rectangle") ?? "");
    const [a = NaN, b = NaN, c = NaN, d = NaN] = text
      .split(",")
      .map((part) => (part.trim() === "" ? NaN : Number(part)));
    const isRoi = [a, b, c, d].every((one) => Number.isInteger(one) && one >= 0) && a < b && c < d;
    setWrong(!isRoi);
    if (!isRoi) return;
    onAdd({ rows: [a, b], columns: [c, d] });
    event.currentTarget.reset();
  };
  return (
    <form className="controls" onSubmit={add}>
      <label>
        rectangle: rows, columns{" "}
        <input name="rectangle" placeholder="from,to,from,to" aria-invalid={isWrong} autoComplete="off" />
      </label>
      <button type="submit">add</button>
      {isWrong ? (
        <span role="alert" className="bad">
          four whole numbers: first row, row after the last, first column, column after the last
        </span>
      ) : null}
    </form>
  );
}
