/**
 * Compiled with the portable layers: fails when a dependency's types bring in what a browser does not have, for then
 * nothing would stop the layers from using it.
 */
// @ts-expect-error: Node's
export const buffer: unknown = Buffer;
// @ts-expect-error: Node's
export const node: unknown = process;
// @ts-expect-error: Node's
export const required: unknown = require;
// @ts-expect-error: Deno's
export const deno: unknown = Deno;
// @ts-expect-error: Node's
export type Files = typeof import("node:fs");
