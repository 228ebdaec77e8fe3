import type { Failed } from "./answering.ts";

type Image = readonly [shape: readonly number[], pixels: readonly (number | null)[]];

/** What h5py read: values, or why there are none. */
export interface OracleAnswer {
  readonly open: boolean;
  readonly tags: readonly number[] | string;
  readonly pd: readonly (number | null)[] | string;
  readonly images: readonly (Image | string)[];
}

/** What sacla read: values, `absent`, or `code …`. */
export interface ReaderAnswer {
  readonly open: true | string;
  readonly tags: readonly number[] | string;
  readonly pd: readonly [values: readonly (number | null)[], status: readonly number[]] | string;
  /** Whether the notes of the run say something of the signal. */
  readonly isNamed?: boolean;
  readonly images: readonly (Image | string)[];
  readonly bytes?: number;
}

const TAGS = [101, 103];

/** How the answers compare: what it comes to, and what is wrong. */
export function judge(
  found: ReaderAnswer | Failed,
  truth: OracleAnswer | Failed,
  isIntact: boolean,
): { outcomes: string[]; wrong: string[] } {
  if (typeof found === "string") return { outcomes: [`sacla ${found}`], wrong: [`sacla ${found}`] };
  if (typeof truth === "string") return { outcomes: [`h5py ${truth}: not compared`], wrong: [] };
  if (typeof found.open === "string")
    return { outcomes: ["file: an error with a code"], wrong: isIntact ? ["does not open"] : [] };
  const wrong: string[] = [];
  const outcomes: string[] = [];
  const listed = typeof truth.tags === "string" ? [] : truth.tags;
  for (const [i, tag] of TAGS.entries()) {
    const verdict = ofImage(found.images[i], truth.open ? truth.images[i] : "error", listed.includes(tag));
    outcomes.push(`image: ${verdict.outcome}`);
    if (verdict.isWrong || (isIntact && verdict.outcome !== EQUAL))
      wrong.push(`image of ${tag} ${verdict.outcome}: ${shown(found.images[i])}, h5py ${shown(truth.images?.[i])}`);
  }
  const column = ofColumn(found, truth.open ? truth.pd : "error", listed);
  outcomes.push(`signal: ${column.outcome}`);
  if (column.isWrong || (isIntact && column.outcome !== EQUAL))
    wrong.push(`signal ${column.outcome}: ${shown(found.pd)}, h5py ${shown(truth.pd)}`);
  return { outcomes, wrong };
}

const EQUAL = "the same as h5py";

function ofImage(found: Image | string | undefined, truth: Image | string | undefined, isListed: boolean) {
  if (typeof found === "string" && found.startsWith("code ")) {
    const isRead = typeof truth === "object";
    return { outcome: isRead ? `${found}, where h5py reads` : "an error with a code", isWrong: false };
  }
  if (found === "absent") {
    if (!isListed) return { outcome: "absent: its tag is not in the list", isWrong: false };
    const isAbsent = truth === "absent" || truth === "unwritten";
    return { outcome: isAbsent ? EQUAL : "absent, unlike h5py", isWrong: !isAbsent };
  }
  const isSame = JSON.stringify(found) === JSON.stringify(truth);
  return { outcome: isSame ? EQUAL : "another image than h5py", isWrong: !isSame };
}

function ofColumn({ pd: found, isNamed = false }: ReaderAnswer, truth: OracleAnswer["pd"], listed: readonly number[]) {
  if (typeof found === "string") {
    const isRead = typeof truth === "object";
    return { outcome: isRead ? `${found}, where h5py reads` : "an error with a code", isWrong: false };
  }
  const MISSING = 3;
  const [values, status] = found;
  // A damaged signal does not stop the others: it is missing for every shot, and named in the notes of the run.
  if ((truth === "error" || isNamed) && status.every((one) => one === MISSING)) {
    const how = truth === "error" ? "h5py gives an error" : "h5py reads, and named";
    return { outcome: `missing, where ${how}`, isWrong: false };
  }
  const isSame = TAGS.every((tag, i) => {
    const row = listed.indexOf(tag);
    if (row < 0 || truth === "unwritten") return status[i] === MISSING;
    if (typeof truth === "string") return false;
    // NaN stands for not-converged, infinities for saturated: null in JSON.
    return status[i] === 0 ? values[i] === truth[row] : status[i] !== MISSING && truth[row] === null;
  });
  return { outcome: isSame ? EQUAL : "other values than h5py", isWrong: !isSame };
}

function shown(answer: unknown): string {
  return JSON.stringify(answer)?.slice(0, 120) ?? "nothing";
}
