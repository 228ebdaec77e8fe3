import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { asImage } from "../../../src/core/ndarray.ts";
import { linePlot, type ReportSection, renderImage, reportPage } from "../../../src/plot/index.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";

const png = renderImage(asImage(new Float32Array(4), 2, 2));
const nasty = `<script>alert("x")</script> & 'y'`;
const page = reportPage({
  title: nasty,
  subtitle: nasty,
  sections: [
    { heading: nasty, text: `${nasty}\n\nsecond`, image: { png, alt: nasty, caption: nasty } },
    { heading: "plot", svg: linePlot([{ x: [1, 2], y: [1, 2], label: nasty }], { title: nasty }) },
    { heading: "table", table: { header: ["reason", nasty], rows: [[nasty, 12], ["short"]] } },
  ],
  footer: nasty,
});

describe("reportPage", () => {
  it("escapes every text and has no script", () => {
    expect(page).not.toMatch(/<script/i);
    expect(page).not.toContain(nasty);
    expect(page.split("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39;").length - 1).toBe(13);
  });

  it("loads nothing from outside", () => {
    const addresses = [...page.matchAll(/(?:src|href)="([^"]{0,30})|url\(/g)].map((match) => match[1]);
    expect(addresses).toEqual([expect.stringMatching(/^data:image\/png;base64,/)]);
    expect(page.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:/);
  });

  it("carries the picture byte for byte, also out of a larger buffer", () => {
    const larger = new Uint8Array(png.length + 20);
    larger.set(png, 7);
    const html = reportPage({
      title: "t",
      sections: [{ heading: "h", image: { png: larger.subarray(7, 7 + png.length), alt: "a" } }],
    });
    const base64 = /base64,([^"]+)"/.exec(html)?.[1] ?? "";
    expect(new Uint8Array(Buffer.from(base64, "base64"))).toEqual(new Uint8Array(png));
  });

  it("aligns columns of numbers and fills short rows", () => {
    expect(page).toContain('<td class="n">12</td>');
    expect(page).toContain('<tr><td>short</td><td class="n"></td></tr>');
  });

  it.each<[string, ReportSection]>([
    ["bytes that are no PNG", { heading: "h", image: { png: new Uint8Array(20), alt: "" } }],
    ["markup that is no SVG", { heading: "h", svg: "<script>1</script>" }],
    ["a row longer than the header", { heading: "h", table: { header: ["a"], rows: [[1, 2]] } }],
  ])("refuses %s", (_, section) => {
    expect(() => reportPage({ title: "t", sections: [section] })).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
  });
});

const python = pythonWith("html.parser");

itNeeding(
  python !== undefined,
  "needs Python",
  "the page's elements nest properly, with one title and a doctype",
  () => {
    const script = `
import json, sys
from html.parser import HTMLParser
void = {"meta", "img"}
class Check(HTMLParser):
    def __init__(self):
        super().__init__(); self.open = []; self.errors = []; self.seen = []
    def handle_decl(self, decl): self.seen.append("!" + decl)
    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in void: self.open.append(tag)
    def handle_startendtag(self, tag, attrs): self.seen.append(tag)
    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag: self.errors.append(tag)
check = Check(); check.feed(sys.stdin.read()); check.close()
print(json.dumps([check.open, check.errors, check.seen]))`;
    const [open, errors, seen] = JSON.parse(
      execFileSync(python ?? "", ["-c", script], { input: page, encoding: "utf8" }),
    ) as string[][];
    expect(open).toEqual([]);
    expect(errors).toEqual([]);
    expect(seen?.slice(0, 3)).toEqual(["!DOCTYPE html", "html", "head"]);
    expect(seen?.filter((tag) => tag === "h1")).toHaveLength(1);
  },
);
