/** How one contender is measured once. */
export interface Contender<T> {
  measure(round: number): Promise<T>;
  /** What is better when it is higher. */
  rate(measured: T): number;
}

/**
 * Measures contenders in rounds, one after the other in each, so that a drift of the machine hits all alike. Of the
 * rounds of a contender the one with the median rate counts, with everything that was measured in it.
 */
export async function takeTurns<All extends Readonly<Record<string, unknown>>>(
  rounds: number,
  contenders: { readonly [Name in keyof All]: Contender<All[Name]> },
): Promise<All> {
  const names = Object.keys(contenders) as (keyof All)[];
  const measured = new Map(names.map((name) => [name, [] as All[keyof All][]]));
  for (let round = 1; round <= rounds; round++) {
    for (const name of names) measured.get(name)?.push(await contenders[name].measure(round));
  }
  const medians = names.map((name) => {
    const sorted = (measured.get(name) ?? []).toSorted((a, b) => contenders[name].rate(a) - contenders[name].rate(b));
    return [name, sorted[(sorted.length - 1) >> 1]];
  });
  // Each median is of its contender's own measurements.
  return Object.fromEntries(medians) as All;
}
