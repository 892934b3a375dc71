export type * from "../core/host.ts";
export { type MemoryContent, memoryHost, type MemoryMachine } from "./memory.ts";
export { type NodeHost, nodeHost } from "./node.ts";
