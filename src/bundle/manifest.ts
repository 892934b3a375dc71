/**
 * Reads the two files in which a bundle describes itself. A bundle is hostile input: everything is checked before it is
 * used.
 */
import en from "zod/v4/locales/en.js";
// A third of the time that zod itself takes to make these schemas, 6 ms of a small bundle's.
import * as z from "zod/mini";
import type { Manifest, Status } from "../core/manifest.ts";

const count = z.int().check(z.nonnegative());
const positive = z.int().check(z.positive());
/** Longer than any real name, path or reason. */
const text = z.string().check(z.maxLength(4096));
const time = z.iso.datetime();

const schemaVersion = z.literal(1, "this nailhouse reads schemaVersion 1: a newer nailhouse may be needed");

const manifest = z.object({
  schemaVersion,
  tool: z.object({ name: z.literal("nailhouse"), version: text }),
  host: z.object({
    hostname: text,
    kernelRelease: text,
    machine: text,
    pageSizeBytes: positive.check(z.refine((size) => Number.isInteger(Math.log2(size)), "must be a power of two")),
    userHz: positive,
    cpus: positive,
  }),
  capturedAt: time,
  privileged: z.boolean(),
  snapshots: positive,
  intervalSeconds: z.number().check(z.nonnegative()),
  collectors: z.array(text),
}) satisfies z.ZodMiniType<Manifest>;

const status = z.object({
  schemaVersion,
  finishedAt: time,
  snapshots: z.array(time),
  stopped: z.nullable(text),
  collectors: z.array(z.object({
    id: text,
    files: count,
    bytes: count,
    milliseconds: z.number().check(z.nonnegative()),
    problems: z.array(z.object({ path: text, reason: text })),
  })),
}) satisfies z.ZodMiniType<Status>;

function parse<T>(schema: z.ZodMiniType<T>, name: string, json: string): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new SyntaxError(`${name} is not JSON`, { cause: error });
  }
  // Compiling a schema takes longer than reading one small file.
  const parsed = schema.safeParse(value, { jitless: true, error: en().localeError });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new TypeError(`${name}: ${issue?.path.join(".")}: ${issue?.message}`, { cause: parsed.error });
}

/**
 * Reads `nailhouse.json`.
 *
 * @throws {SyntaxError | TypeError} If it is not JSON, or not a manifest of a version that is known.
 */
export function parseManifest(json: string): Manifest {
  return parse(manifest, "nailhouse.json", json);
}

/**
 * Reads `nailhouse-status.json`.
 *
 * @throws {SyntaxError | TypeError} If it is not JSON, or not a status of a version that is known.
 */
export function parseStatus(json: string): Status {
  return parse(status, "nailhouse-status.json", json);
}
