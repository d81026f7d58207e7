/**
 * The engines that can be backed up. One name here, one folder under runner/engines and one construct under
 * src/databases make an engine; nothing else asks for an engine by its name.
 */
export const ENGINE_NAMES = ['postgres', 'mysql', 'mongodb', 'redis', 'neo4j', 'nuodb', 'volume'] as const;

/** The name of an engine. */
export type EngineName = (typeof ENGINE_NAMES)[number];

/** What records have in place of an engine's name where several databases were backed up together. */
export const GROUP = 'group';

/** What a record may be of. */
export const RECORDED_ENGINES = [...ENGINE_NAMES, GROUP] as const;
