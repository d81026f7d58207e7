/**
 * What the commands ask of the world, as interfaces. The commands and the executor see only these; main wires them.
 */
export type * from './guards';
export type * from './locks';
export type * from './outside';
export type * from './platform';
export type * from './registry';
export type * from './retention';
export type * from './schedules';
export type * from './snapshots';
export type * from './world';
