import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { compare } from "../../src/engine/compare.ts";
import { parseReport, reportJsonSchema } from "../../src/engine/report_schema.ts";
import { renderHtml } from "../../src/render/html.ts";
import { renderJson } from "../../src/render/json.ts";
import { renderMarkdown } from "../../src/render/markdown.ts";
import { renderText } from "../../src/render/text.ts";
import { analyzeFiles, meminfoText } from "../analyzers/_bundle.ts";

/** Each was printed by the version in its name, and is never changed: what people have stored must stay readable. */
const oldReports = new URL("reports/", import.meta.url);
const files = { "proc/meminfo": meminfoText({ MemTotal: 2 ** 30, MemFree: 2 ** 29, MemAvailable: 2 ** 29 }) };

describe("parseReport()", () => {
  it("reads back what renderJson() wrote", async () => {
    const report = await analyzeFiles(files);
    expect(parseReport(renderJson(report))).toEqual(report);
  });

  it("leaves out what a newer nailhouse added", async () => {
    const report = await analyzeFiles(files);
    expect(parseReport(JSON.stringify({ ...report, added: 1 }))).toEqual(report);
  });

  it("says which field is wrong, and that a newer nailhouse may be needed", () => {
    expect(() => parseReport('{"schemaVersion":2}')).toThrow(/schemaVersion: .*a newer one/);
  });

  it.each(["{}", '{"schemaVersion":"1"}', "[]"])(
    "calls what is no report none, and asks for no newer nailhouse: %s",
    (json) => {
      expect(() => parseReport(json)).toThrow(
        /^Cannot read the report: (schemaVersion: .*this is no report|Invalid input: expected object, received array)$/,
      );
    },
  );

  it.each(readdirSync(oldReports))(
    "reads an older nailhouse's report, which can be compared and rendered: %s",
    (name) => {
      const json = readFileSync(new URL(name, oldReports), "utf8");
      const old = parseReport(json);
      expect(old).toMatchObject(JSON.parse(json));
      expect(new Set(compare({ report: old }, { report: old }).findings.map(({ change }) => change))).toEqual(
        new Set(["same"]),
      );
      for (const render of [renderText, renderMarkdown, renderHtml]) {
        expect(render(old)).toContain(old.findings[0]?.cause);
      }
    },
  );
});

describe("reportJsonSchema()", () => {
  it("is a JSON Schema", () => {
    expect(reportJsonSchema()).toMatchObject({
      type: "object",
      properties: { verdict: { enum: expect.arrayContaining(["healthy"]) } },
    });
  });
});
