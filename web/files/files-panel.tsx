import { plainTime } from "../../src/core/time-text.ts";
import { ask } from "../server/connection.ts";
import { go, hashWith, usePlace } from "../server/location.ts";
import { usePoll } from "../server/use-poll.ts";
import type { PanelProps } from "../shell/page.tsx";
import { TableHead } from "../shell/table-head.tsx";
import { H5Object } from "./h5-object.tsx";

const EVERY_MS = 10_000;

/** The HDF5 files of the folder that is served, and what is in them. */
export function FilesPanel({ methods }: PanelProps) {
  const { params } = usePlace();
  const isThere = methods.includes("page.files");
  const found = usePoll(
    isThere ? async (signal) => await ask("page.files", {}, signal) : null,
    EVERY_MS,
    `files ${isThere}`,
  );
  if (!isThere) return <p role="status">This source is no file and no folder, so there are no files to look into.</p>;
  if (found.value === undefined) return <p role="status">{found.error ?? "asking for the files…"}</p>;
  const { files } = found.value;
  const [only] = files;
  const chosen = params.get("file") ?? (files.length === 1 && only !== undefined ? only.name : null);
  if (chosen !== null)
    return (
      <>
        {files.length === 1 ? null : (
          <p>
            <a href={hashWith({ file: null, h5: null, at: null, as: null, from: null })}>← all files</a>
          </p>
        )}
        <H5Object
          file={chosen}
          path={params.get("h5") ?? "/"}
          onPath={(h5) => go({ h5, at: null, as: null, from: null })}
        />
      </>
    );
  return (
    <div className="scroll">
      <table>
        <caption>{files.length} HDF5 files; times in JST</caption>
        <TableHead names={["file", "MB", "changed"]} />
        <tbody>
          {files.map(({ name, bytes, modified }) => (
            <tr key={name}>
              <th scope="row">
                <a href={hashWith({ file: name })}>{name}</a>
              </th>
              <td>{(bytes / 1e6).toFixed(1)}</td>
              <td>{plainTime(new Date(1000 * modified))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
