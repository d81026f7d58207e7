/** The driver, which is loaded with this engine and not before. */
import neo4j from 'neo4j-driver';

export { neo4j };
