import { useRef } from "react";
import { plainTime } from "../../src/core/time-text.ts";
import type { RequestEntry } from "../../src/transport/request-methods.ts";
import { valueText } from "../live/picture-view.tsx";
import { ec } from "../server/connection.ts";
import { usePoll } from "../server/use-poll.ts";
import { TableHead } from "../shell/table-head.tsx";

const EVERY_MS = 1000;
/** Lines that are shown. */
const SHOWN = 200;

/** The dialogue with the operators, line by line with the shot it belongs to, the newest first. */
export function RequestLog({ bl }: { bl: number }) {
  const known = useRef<{ readonly bl: number; readonly lines: readonly RequestEntry[] }>({ bl, lines: [] });
  const log = usePoll(
    async (signal) => {
      let lines = known.current.bl === bl ? known.current.lines : [];
      for (;;) {
        const more = await ec.requestLog(bl, lines.at(-1)?.n ?? 0, { signal });
        lines = [...lines, ...more].slice(-SHOWN);
        known.current = { bl, lines };
        if (more.length < 1000) return lines.toReversed();
      }
    },
    EVERY_MS,
    `log of requests ${bl}`,
  );
  return (
    <section aria-label="log of requests" className="scroll">
      <h2>Log</h2>
      {log.value === undefined || log.error !== undefined ? <p role="status">{log.error ?? "reading…"}</p> : null}
      <table data-log>
        <caption>The last {SHOWN} lines at most; times in JST</caption>
        <TableHead names={["time", "shot", "request", "what", "by", "why"]} />
        <tbody>
          {log.value?.map((line) => (
            <tr key={line.n}>
              <td>{plainTime(new Date(line.time))}</td>
              <td>{line.shot?.join("/") ?? ""}</td>
              <td>{line.id}</td>
              <td>
                {line.event}
                {line.event === "proposed" ? ` ${changeText(line.data)}` : ""}
                {line.event === "offered" ? ` ${valueText(line.data["to"])} instead` : ""}
              </td>
              <td>{line.by}</td>
              <td>{line.why}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function changeText(data: RequestEntry["data"]): string {
  return `${valueText(data["parameter"])} ${valueText(data["from"])} → ${valueText(data["asked"])} ${valueText(data["unit"])}`;
}
