import { labAvailable } from "../test/lab/lab.ts";

export async function setup(): Promise<void> {
  if (!(await labAvailable())) console.warn("test/lab is skipped: holding faults needs Linux, root, gcc and flock");
}
