import { ec } from "../server/connection.ts";
import { usePoll } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";
import type { PanelProps } from "../shell/page.tsx";
import { RequestList } from "./request-list.tsx";
import { RequestLog } from "./request-log.tsx";

const EVERY_MS = 1000;

/** Requests to the operators of the accelerator: who asks what, the operators' answers, and the dialogue. */
export function RequestsPanel({ bl, methods, session }: PanelProps) {
  const isThere = methods.includes("request.list");
  const found = usePoll(
    isThere
      ? async (signal) => {
          const [{ mode, rules }, requests] = await Promise.all([
            ec.requestRules(bl, { signal }),
            ec.requests(bl, 50, { signal }),
          ]);
          return { mode, rules, requests: requests.toReversed() };
        }
      : null,
    EVERY_MS,
    `requests ${bl} ${isThere}`,
  );
  if (!isThere) return <p role="status">This source takes no requests to the accelerator.</p>;
  if (found.value === undefined) return <p role="status">{found.error ?? "asking for the requests…"}</p>;
  const canAnswer = session.role === "operator" || !session.hasKeys;
  return (
    <div className="steer">
      <Failure text={found.error} />
      <RequestList bl={bl} {...found.value} canAnswer={canAnswer} onDone={found.refresh} />
      <RequestLog bl={bl} />
    </div>
  );
}
