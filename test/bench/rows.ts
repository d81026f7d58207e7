/** One line of a benchmark's table. */
export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the value should stay at or under; without it the row is for information. */
  readonly target?: number;
}
