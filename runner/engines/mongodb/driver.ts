/** The driver, loaded when the first connection is made. It is a CommonJS package: a bundle has its names only by such an import. */
export { MongoClient } from 'mongodb';
