/** All engines that the contract suite runs on: one line each. */
import type { EngineAdapter } from './adapter';
import { mariadb, mysql } from './mysql';
import { postgres } from './postgres';
import { redis, valkey } from './redis';

export const ENGINES: readonly EngineAdapter[] = [mariadb, mysql, postgres, redis, valkey];
