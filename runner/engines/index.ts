import type { EngineName } from '../../src/contract';
import type { Engine } from '../engine';

/** Every engine, by the name that the job config has for it. One is loaded when it is used, and its driver with it. */
export const ENGINES = {
  postgres: async () => (await import('./postgres')).engine,
  mysql: async () => (await import('./mysql')).engine,
  mongodb: async () => (await import('./mongodb')).engine,
  redis: async () => (await import('./redis')).engine,
  neo4j: async () => (await import('./neo4j')).engine,
  nuodb: async () => (await import('./nuodb')).engine,
  volume: async () => (await import('./volume')).engine,
} satisfies Record<EngineName, () => Promise<Engine>>;
