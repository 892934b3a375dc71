/** `nailhouse.json`, the first entry of a bundle. */
export interface Manifest {
  readonly schemaVersion: 1;
  readonly tool: { readonly name: "nailhouse"; readonly version: string };
  readonly host: {
    readonly hostname: string;
    readonly kernelRelease: string;
    readonly machine: string;
    readonly pageSizeBytes: number;
    readonly userHz: number;
    readonly cpus: number;
  };
  /** ISO 8601 UTC, the time of the first snapshot. */
  readonly capturedAt: string;
  /** False when the collector ran without root. */
  readonly privileged: boolean;
  readonly snapshots: number;
  readonly intervalSeconds: number;
  readonly collectors: readonly string[];
}

/** What one collector did, in `nailhouse-status.json`. */
export interface CollectorStatus {
  readonly id: string;
  readonly files: number;
  readonly bytes: number;
  readonly milliseconds: number;
  /** What was asked for and is not there, each with the reason. A process that ended meanwhile is not among them. */
  readonly problems: readonly { readonly path: string; readonly reason: string }[];
}

/** `nailhouse-status.json`, the last entry of a bundle that was not cut off. */
export interface Status {
  readonly schemaVersion: 1;
  readonly finishedAt: string;
  /** ISO 8601 UTC, each snapshot's time in order. */
  readonly snapshots: readonly string[];
  /** Why collecting ended before everything was captured (a limit, an interruption); null when it did not. */
  readonly stopped: string | null;
  readonly collectors: readonly CollectorStatus[];
}
