import { type Collector, defineCollector } from "../src/core/collector.ts";

/** A census of all pages, which names memory that no counter does. */
export const pageFlags: Collector = defineCollector({
  id: "page-flags",
  title: "Census of all pages",
  why:
    "Pages that network buffers and drivers hold are in no counter. Here they are compound pages without any other flag. " +
    "Where a sample shows next to none of those, the sample is what is kept.",
  // Right behind the counters that it explains.
  priority: 20,
  captures: [
    // A sample first. Where it shows memory that nothing owns, up to 32 Mi pages: 128 GiB, about two seconds of one CPU.
    { kind: "page-flags", as: "sos_commands/memory/page_flags", maxPages: 2 ** 25 },
  ],
});
