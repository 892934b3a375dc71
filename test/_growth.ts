import process from "node:process";

/** So much more. */
const TIMES = 16;
/** Between 16, of what takes time in proportion, and 256, of what goes through all for each. */
export const IN_PROPORTION = 80;

async function cpuMicroseconds(run: () => unknown): Promise<number> {
  const start = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

/**
 * How many times as much CPU time it takes for sixteen times as much: below `IN_PROPORTION` on any machine, however busy.
 *
 * @param size So large that it takes milliseconds: what is shorter is noise.
 */
export async function growth(run: (size: number) => unknown, size: number): Promise<number> {
  const least = async (count: number): Promise<number> =>
    Math.min(await cpuMicroseconds(() => run(count)), await cpuMicroseconds(() => run(count)));
  // V8 has not optimized what runs for the first time.
  await run(size);
  return await least(TIMES * size) / await least(size);
}
