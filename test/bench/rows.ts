/** One line of a benchmark's table. */
export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The smallest and the largest of the values that it is the middle of. */
  readonly spread?: readonly [min: number, max: number];
  /** What the value should stay at or under; without it the row is for information. */
  readonly target?: number;
  /** Its place in a table of the documentation, where it stands beside others. */
  readonly place?: Place;
}

/** Where a value stands in a table of lines and columns. */
export interface Place {
  readonly table: string;
  readonly line: string;
  readonly column: string;
}
