import { engineContract } from './contract/engine';
import { POSTGRES_VERSIONS } from './postgres-binaries';
import { postgresFixture } from './postgres-fixture';

for (const version of POSTGRES_VERSIONS) engineContract(`PostgreSQL ${version}`, () => postgresFixture(version));
