/**
 * Reads the two files in which a bundle describes itself. A bundle is hostile input: everything is checked before it is
 * used.
 */
import * as z from "zod";
import type { Manifest, Status } from "../core/manifest.ts";

const count = z.number().int().nonnegative();
const positive = z.number().int().positive();
/** Longer than any real name, path or reason. */
const text = z.string().max(4096);
const time = z.iso.datetime();

const schemaVersion = z.literal(1, "this nailhouse reads schemaVersion 1: a newer nailhouse may be needed");

const manifest = z.object({
  schemaVersion,
  tool: z.object({ name: z.literal("nailhouse"), version: text }),
  host: z.object({
    hostname: text,
    kernelRelease: text,
    machine: text,
    pageSizeBytes: positive.refine((size) => Number.isInteger(Math.log2(size)), "must be a power of two"),
    userHz: positive,
    cpus: positive,
  }),
  capturedAt: time,
  privileged: z.boolean(),
  snapshots: positive,
  intervalSeconds: z.number().nonnegative(),
  collectors: z.array(text),
}) satisfies z.ZodType<Manifest>;

const status = z.object({
  schemaVersion,
  finishedAt: time,
  snapshots: z.array(time),
  stopped: text.nullable(),
  collectors: z.array(z.object({
    id: text,
    files: count,
    bytes: count,
    milliseconds: z.number().nonnegative(),
    problems: z.array(z.object({ path: text, reason: text })),
  })),
}) satisfies z.ZodType<Status>;

function parse<T>(schema: z.ZodType<T>, name: string, json: string): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new SyntaxError(`${name} is not JSON`, { cause: error });
  }
  // Compiling a schema takes longer than reading one small file.
  const parsed = schema.safeParse(value, { jitless: true });
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
