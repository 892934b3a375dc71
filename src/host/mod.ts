export type * from "../core/host.ts";
export { memoryHost, type MemoryContent, type MemoryMachine } from "./memory.ts";
export { nodeHost, type NodeHost } from "./node.ts";
