import { type FormEvent, useState } from "react";
import { quantityWithError } from "../../src/core/quantities.ts";
import { counted } from "../../src/core/show.ts";
import type { AnswerOptions } from "../../src/ec/ec.ts";
import { hasEnded, isUnderWay } from "../../src/ec/requests/request-state.ts";
import type { CallResult } from "../../src/transport/methods.ts";
import type { AcceleratorRequest, Evidence } from "../../src/transport/request-methods.ts";
import { valueText } from "../live/picture-view.tsx";
import { ec } from "../server/connection.ts";
import { textOf } from "../server/use-poll.ts";
import { Failure } from "../shell/failure.tsx";
import { TableHead } from "../shell/table-head.tsx";

const columns = ["id", "parameter", "now → asked", "by", "reason", "state", "shown by", "answer"];

/** The last requests, the newest first; operators answer those that wait. */
export function RequestList({
  bl,
  mode,
  rules,
  requests,
  canAnswer,
  onDone,
}: CallResult<"request.rules"> & {
  readonly bl: number;
  readonly requests: readonly AcceleratorRequest[];
  readonly canAnswer: boolean;
  readonly onDone: () => void;
}) {
  const [operator, setOperator] = useState(localStorage.getItem("sacla name") ?? "");
  const [error, setError] = useState<string | null>(null);
  const answer = (id: number, given: Omit<AnswerOptions, "operator">): void => {
    setError(null);
    localStorage.setItem("sacla name", operator.trim());
    ec.answerRequest(bl, id, { ...given, operator: operator.trim() })
      .catch((reason: unknown) => setError(textOf(reason)))
      .finally(onDone);
  };
  return (
    <section aria-label="requests" className="scroll">
      <h2>Requests to the accelerator</h2>
      <p role="status" className={mode === "normal" ? "" : "bad"}>
        The machine is in {mode} mode for beamline {bl}; {rules.length} parameters may be asked for.
      </p>
      {canAnswer ? (
        <label>
          operator's name{" "}
          <input value={operator} maxLength={60} onChange={(event) => setOperator(event.target.value)} />
        </label>
      ) : (
        <p>Operators of the accelerator answer here; that needs a key of the role operator.</p>
      )}
      <Failure text={error} />
      <table>
        <TableHead names={columns} />
        <tbody>
          {requests.map((request) => (
            <tr key={request.id} data-request={request.id}>
              <th scope="row">{request.id}</th>
              <td>{request.parameter}</td>
              <td>
                {valueText(request.from)} → <strong>{valueText(request.asked)}</strong> {request.unit}
                {request.to === request.asked ? null : ` (offered: ${valueText(request.to)})`}
              </td>
              <td>{request.by}</td>
              <td>{request.reason}</td>
              <td className={hasEnded(request.state) ? "" : "good"} data-state={request.state}>
                {request.state}
                {request.why === "" ? "" : `: ${request.why}`}
                {request.operator === "" ? "" : ` (${request.operator})`}
              </td>
              <td>{request.evidence === null ? request.verification.signal : shownBy(request.evidence)}</td>
              <td>
                {canAnswer && !hasEnded(request.state) ? (
                  <AnswerForm
                    request={request}
                    isNamed={operator.trim() !== ""}
                    onAnswer={(given) => answer(request.id, given)}
                  />
                ) : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {requests.length === 0 ? <p>Nothing has been asked for.</p> : null}
    </section>
  );
}

/** What the operators can say now: an answer while it waits, stop while the machine is being changed. */
function AnswerForm({
  request,
  isNamed,
  onAnswer,
}: {
  readonly request: AcceleratorRequest;
  readonly isNamed: boolean;
  readonly onAnswer: (given: Omit<AnswerOptions, "operator">) => void;
}) {
  const { id, state, asked } = request;
  const [why, setWhy] = useState("");
  const [other, setOther] = useState("");
  const to = typeof asked === "number" ? Number(other) : other;
  const hasOther = other.trim() !== "" && (typeof to === "string" || Number.isFinite(to));
  const reason = (
    <input
      aria-label={`reason of the answer to ${id}`}
      placeholder="reason"
      value={why}
      maxLength={500}
      onChange={(event) => setWhy(event.target.value)}
    />
  );
  const say = (answer: AnswerOptions["answer"]) => (event: FormEvent) => {
    event.preventDefault();
    onAnswer({ answer, why: why.trim(), to: answer === "change" ? to : undefined });
  };
  if (isUnderWay(state))
    return (
      <span className="row">
        {reason}
        <button type="button" disabled={!isNamed || state === "rolling-back"} onClick={say("stop")}>
          stop {id}
        </button>
      </span>
    );
  if (state !== "waiting") return <>waits for the requester</>;
  return (
    <form className="row" aria-label={`answer to ${id}`} onSubmit={say("change")}>
      <button type="button" disabled={!isNamed} onClick={say("accept")}>
        accept {id}
      </button>
      {reason}
      <button type="button" disabled={!isNamed} onClick={say("decline")}>
        decline {id}
      </button>
      <input
        aria-label={`other value for ${id}`}
        placeholder="other value"
        value={other}
        onChange={(event) => setOther(event.target.value)}
      />
      <button type="submit" disabled={!isNamed || !hasOther}>
        offer {id}
      </button>
    </form>
  );
}

function shownBy({ signal, mean, standardError, shots }: Evidence): string {
  return `${signal}: ${quantityWithError(mean, standardError, "")}, ${counted(shots, "shot")}`;
}
