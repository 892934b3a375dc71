/** The file of `-o`, into which a result goes. */
import { UsageError } from "./_command.ts";

/**
 * Carries out what writes it.
 *
 * @throws {UsageError} If that cannot be: no such folder, no rights, a full disk.
 */
export async function intoFile<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw new UsageError(`Cannot write ${path}: ${error.message}`, { cause: error });
  }
}
