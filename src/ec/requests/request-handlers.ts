import type { CallParams, CallResult } from "../../transport/methods.ts";
import type { requestMethods } from "../../transport/request-methods.ts";
import type { RequestDesk } from "./desk.ts";

type RequestHandlers = {
  readonly [M in keyof typeof requestMethods]: (params: CallParams<M>) => Promise<CallResult<M>>;
};

/** What answers the rows `request.*` of the method table. */
export function requestHandlers(desk: RequestDesk): RequestHandlers {
  return {
    "request.rules": async ({ bl }) => await desk.rules(bl),
    "request.propose": async (params) => await desk.propose(params),
    "request.agree": async (params) => await desk.agree(params),
    "request.keep": async (params) => await desk.keep(params),
    "request.cancel": async (params) => await desk.cancel(params),
    "request.answer": async (params) => await desk.answer(params),
    "request.list": async ({ bl, last }) => desk.list(bl, last),
    "request.log": async ({ bl, after, most }) => desk.log(bl, after, most),
  };
}
