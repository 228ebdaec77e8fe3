import type { CallResult } from "../../src/transport/methods.ts";
import { ask } from "../server/connection.ts";
import { useAsked } from "../server/use-poll.ts";
import { Pending } from "../shell/failure.tsx";
import { TableHead } from "../shell/table-head.tsx";
import { H5Dataset } from "./h5-dataset.tsx";

type Looked = CallResult<"page.h5">;

/** A group or dataset of a file: the way to it, its attributes, its members or its values. */
export function H5Object({
  file,
  path,
  onPath,
}: {
  readonly file: string;
  readonly path: string;
  readonly onPath: (path: string) => void;
}) {
  const found = useAsked(async (signal) => await ask("page.h5", { file, path }, signal), `h5 ${file} ${path}`);
  const names = path.split("/").filter(Boolean);
  return (
    <>
      <nav className="row" aria-label="path in the file">
        <button type="button" onClick={() => onPath("/")}>
          {file}
        </button>
        {names.map((name, i) => {
          const to = `/${names.slice(0, i + 1).join("/")}`;
          return (
            <button key={to} type="button" aria-current={i === names.length - 1} onClick={() => onPath(to)}>
              / {name}
            </button>
          );
        })}
      </nav>
      {found.value === undefined ? (
        <Pending error={found.error} text="reading…" />
      ) : (
        <div className="h5" data-h5={found.value.path}>
          {found.value.kind === "group" ? (
            <Members {...found.value} onPath={onPath} />
          ) : (
            <section aria-label="values">
              <h2>{found.value.what}</h2>
              <ValuesOf {...found.value} file={file} />
            </section>
          )}
          <Attributes {...found.value} />
        </div>
      )}
    </>
  );
}

function ValuesOf({ file, path, shape, holds }: Looked & { readonly file: string }) {
  if (shape === null || shape.includes(0)) return <p>It has no values.</p>;
  if (holds === "other") return <p>Values of this type are not shown.</p>;
  return <H5Dataset key={path} file={file} path={path} shape={shape} holds={holds} />;
}

function Members({ path, members, more, onPath }: Looked & { readonly onPath: (path: string) => void }) {
  return (
    <section aria-label="members" className="scroll">
      <h2>
        {members.length + more} members of {path}
      </h2>
      <table>
        <TableHead names={["name", "kind", "type, shape or target"]} />
        <tbody>
          {members.map(({ name, kind, what }) => (
            <tr key={name}>
              <th scope="row">
                {kind === "other" ? (
                  name
                ) : (
                  <button type="button" onClick={() => onPath(`${path === "/" ? "" : path}/${name}`)}>
                    {name}
                  </button>
                )}
              </th>
              <td>{kind}</td>
              <td>{what}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {more === 0 ? null : <p>… and {more} more, which are not listed</p>}
    </section>
  );
}

function Attributes({ attributes }: Looked) {
  if (attributes.length === 0) return null;
  return (
    <section aria-label="attributes" className="scroll">
      <h2>{attributes.length} attributes</h2>
      <table>
        <tbody>
          {attributes.map(({ name, value }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
