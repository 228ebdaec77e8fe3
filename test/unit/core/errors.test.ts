import { describe, expect, it } from "vitest";
import { asApiError, FacilityError, isSaclaError, SaclaError, show, toSaclaError } from "../../../src/core/errors.ts";

class ApiError extends FacilityError {}

describe("SaclaError", () => {
  it("is recognised by code, also when it comes from another copy of the package", () => {
    const error = new SaclaError("UNKNOWN_RUN", "no run 5", { details: { run: 5 } });
    expect(isSaclaError(error)).toBe(true);
    expect(isSaclaError(error, "UNKNOWN_RUN")).toBe(true);
    expect(isSaclaError(error, "TIMEOUT", "ABORTED")).toBe(false);
    const foreign = Object.assign(new Error("x"), { code: "UNKNOWN_RUN", [Symbol.for("sacla.error")]: true });
    expect(isSaclaError(foreign, "UNKNOWN_RUN")).toBe(true);
    expect(isSaclaError(Object.assign(new Error("x"), { code: "UNKNOWN_RUN" }))).toBe(false);
  });

  it("wraps a foreign error once, keeping it as the cause", () => {
    const cause = new TypeError("odd");
    const wrapped = toSaclaError(cause, "FILE_DAMAGED", "run.h5");
    expect([wrapped.code, wrapped.message, wrapped.cause]).toEqual(["FILE_DAMAGED", "run.h5: odd", cause]);
    expect(toSaclaError(wrapped)).toBe(wrapped);
  });

  it("tells what failed first, and names what failed while things were closed", () => {
    const suppressed = (error: unknown, first: unknown): Error =>
      Object.assign(new Error("An error was suppressed during disposal."), {
        name: "SuppressedError",
        error,
        suppressed: first,
      });
    const first = new SaclaError("WRITE_FAILED", "The disk is full.", { details: { path: "a" } });
    const later = new SaclaError("UNREACHABLE", "The server is gone.");
    const told = toSaclaError(suppressed(new Error("odd"), suppressed(later, first)));
    expect(told).toMatchObject({ code: "WRITE_FAILED", details: { path: "a" }, cause: first });
    expect(told.message).toMatch(/^The disk is full\. .*UNREACHABLE: The server is gone\. INTERNAL: odd$/);
  });

  it("becomes the module's APIError only when the facility refused", async () => {
    const fail = (code: "UNKNOWN_RUN" | "TIMEOUT") =>
      asApiError(ApiError, () => Promise.reject(new SaclaError(code, "m", { details: { a: 1 } })));
    await expect(fail("UNKNOWN_RUN")).rejects.toSatisfy(
      (e) => e instanceof ApiError && e.code === "UNKNOWN_RUN" && e.details["a"] === 1,
    );
    await expect(fail("TIMEOUT")).rejects.toSatisfy((e) => !(e instanceof ApiError) && isSaclaError(e, "TIMEOUT"));
  });

  it("shows any value briefly", () => {
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    expect([
      show("x".repeat(500)).length < 130,
      show(loop),
      show(new Float32Array(3)),
      show(() => 1),
      show(undefined),
    ]).toEqual([true, "[object Object]", "Float32Array of 12 bytes", "a function", "undefined"]);
  });
});
