/** One trace at one size under one policy. */
export interface HitRatioRow {
  readonly trace: string;
  readonly size: number;
  readonly policy: string;
  readonly requests: number;
  readonly hits: number;
  readonly ratio: number;
  /** Hits of exact LRU and of the optimum, from the reference. */
  readonly lru?: number;
  readonly opt?: number;
  /** How much of the way from LRU to the optimum: 0 as LRU, 1 as the optimum. Only where that is more than a point. */
  readonly share?: number;
}

export interface PolicySummary {
  /** Over rows that have a share; absent if none has. */
  readonly meanShare?: number;
  readonly worstVsLruPoints?: number;
  readonly worstRow?: string;
}

/** Rows in which LRU and the optimum are closer have no share: it would be the quotient of two small differences. */
const GAP_POINTS_MIN = 1;

export function rowOf(
  trace: string,
  size: number,
  policy: string,
  requests: number,
  hits: number,
  reference: Readonly<Record<string, number>> | undefined,
): HitRatioRow {
  const row = { trace, size, policy, requests, hits, ratio: rounded(hits / requests, 6) };
  const { lru, opt } = reference ?? {};
  if (lru === undefined) return row;
  if (opt === undefined) return { ...row, lru };
  const gapPoints = (100 * (opt - lru)) / requests;
  if (gapPoints <= GAP_POINTS_MIN) return { ...row, lru, opt };
  return { ...row, lru, opt, share: rounded((hits - lru) / (opt - lru), 4) };
}

export function summaries(rows: readonly HitRatioRow[]): Record<string, PolicySummary> {
  const policies = [...new Set(rows.map(({ policy }) => policy))];
  return Object.fromEntries(policies.map((name) => [name, summary(rows.filter(({ policy }) => policy === name))]));
}

function summary(rows: readonly HitRatioRow[]): PolicySummary {
  const shares = rows.map(({ share }) => share).filter((share) => share !== undefined);
  const compared = rows
    .filter(({ lru }) => lru !== undefined)
    .map((row) => ({ row, points: (100 * (row.hits - row.lru!)) / row.requests }))
    .sort((a, b) => a.points - b.points);
  const worst = compared[0];
  return {
    ...(shares.length > 0 && { meanShare: rounded(shares.reduce((sum, share) => sum + share, 0) / shares.length, 4) }),
    ...(worst && { worstVsLruPoints: rounded(worst.points, 3), worstRow: `${worst.row.trace} ${worst.row.size}` }),
  };
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
