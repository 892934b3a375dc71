/** What has one key: somebody has, or there would be no group. */
export type Group<V> = [V, ...V[]];

/** Adds to the list of a key. */
export function append<K, V>(groups: Map<K, V[]>, key: K, value: V): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [value]);
  else group.push(value);
}

/** Map.groupBy, which Node has from 21 on only. */
export function groupBy<K, V>(values: readonly V[], keyOf: (value: V) => K): Map<K, Group<V>> {
  const groups = new Map<K, Group<V>>();
  for (const value of values) append<K, V>(groups, keyOf(value), value);
  return groups;
}
